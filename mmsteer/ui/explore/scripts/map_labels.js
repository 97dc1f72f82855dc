// Names on the map, where they do not overlap: the chosen feature first, then search results, then the most certain names.
import { makeSvg } from "../../shared/scripts/dom.js";
import { ranked, searchText } from "./filter.js";
import { position } from "./map.js";
import { chosenFeature, state } from "./state.js";

const RESULTS = 12; // of a search that are named first
const LETTER = 6.7; // pixels
const RADIUS = 5;

function labelOrder(fitting) {
  const { chosen, places } = state;
  const first = new Set([chosen, ...(searchText() ? ranked().slice(0, RESULTS).map((f) => f.id) : [])]);
  const named = fitting.filter((f) => f.named && !first.has(f.id)).sort((a, b) => b.nameConfidence - a.nameConfidence);
  const order = [...fitting.filter((f) => first.has(f.id)), ...named];
  if (chosen !== null && !order.some((f) => f.id === chosen) && places.has(chosen)) order.push(chosenFeature());
  return order.sort((a, b) => (b.id === chosen) - (a.id === chosen));
}

const overlap = (a, b) => a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1];

export function mapLabels(fitting, width, height) {
  const taken = fitting.map((f) => {
    const [x, y] = position(f.id);
    return [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS];
  });
  const isFree = (box) => box[0] > 2 && box[2] < width - 2 && box[1] > 2 && box[3] < height - 2
    && !taken.some((other) => overlap(other, box));
  const labels = [];
  for (const f of labelOrder(fitting)) {
    const [x, y] = position(f.id);
    const wide = f.name.length * LETTER + 4;
    const offsets = [[9, 4], [-9 - wide, 4], [-wide / 2, -10], [-wide / 2, 20]]; // right, left, above, below
    const boxes = offsets.map(([dx, dy]) => [x + dx, y + dy - 11, x + dx + wide, y + dy + 3]);
    const box = boxes.find(isFree);
    if (!box) continue;
    taken.push(box);
    labels.push(makeSvg("text", { x: box[0] + 2, y: box[3] - 3, class: f.id === state.chosen ? "mm-chosen" : "" }, f.name));
  }
  return labels;
}
