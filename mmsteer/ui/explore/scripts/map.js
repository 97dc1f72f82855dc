// The map of features: close means alike. Dots can be chosen by mouse and keyboard.
import { make, makeSvg, pressed } from "../../shared/scripts/dom.js";
import { LABELS, inkShape } from "../../shared/scripts/features.js";
import { choose } from "./choice.js";
import { fits } from "./filter.js";
import { mapLabels } from "./map_labels.js";
import { cards, redraw, state } from "./state.js";
import { fetchSheets, tiles } from "./tiles.js";

const PAD = 22; // pixels
const REACH = 26; // pixels from a dot within which the pointer chooses it
const ALIKE = 0.25; // cosine from which a line joins neighbours
const TIP = { side: 80, above: 110 }; // pixels that the tip needs beside and above a dot
export const DOTS = {
  vision: "M5.5 0A5.5 5.5 0 1 1-5.5 0A5.5 5.5 0 1 1 5.5 0Z",
  language: "M-4.8-4.8H4.8V4.8H-4.8Z",
  cross: "M0-6.4L6.4 0L0 6.4L-6.4 0Z",
};

const tip = make("div", { class: "mm-tip", "aria-hidden": "true", hidden: true });
export const board = make("div", {
  class: "mm-board", onkeydown: onDotKey, onclick: onClick,
  onpointermove: (event) => hover(closest(event)), onpointerleave: () => hover(null),
});

export function position(id) {
  const [x, y] = state.places.get(id);
  return [PAD + x * (board.clientWidth - 2 * PAD), PAD + y * (board.clientHeight - 2 * PAD)];
}

function dot(f, isInside, isFirst) {
  const isChosen = f.id === state.chosen;
  const kinds = [`mm-ink-${f.modality}`, !isInside && "mm-far", !f.named && "mm-nameless", isChosen && "mm-chosen"];
  const [x, y] = position(f.id);
  const role = isInside
    ? { role: "button", tabindex: isFirst ? 0 : -1, "aria-label": `${f.name}, ${LABELS[f.modality]}`, "aria-pressed": pressed(isChosen) }
    : { "aria-hidden": "true" };
  return makeSvg("g", {
    class: ["mm-dot", ...kinds].filter(Boolean).join(" "), transform: `translate(${x} ${y})`,
    "data-key": `dot ${f.id}`, "data-dot": f.id, ...role,
  }, isChosen ? makeSvg("circle", { r: 11, class: "mm-ring" }) : null, makeSvg("path", { d: DOTS[f.modality] }));
}

function neighbourLines() {
  const card = cards.get(state.chosen);
  if (!card || !state.places.has(state.chosen)) return [];
  const [x1, y1] = position(state.chosen);
  return card.neighbours.filter(([id, cosine]) => state.places.has(id) && cosine > ALIKE).map(([id, cosine]) => {
    const [x2, y2] = position(id);
    return makeSvg("line", { x1, y1, x2, y2, "stroke-opacity": Math.min(1, cosine).toFixed(2) });
  });
}

export function renderMap() {
  const { chosen, features, places } = state;
  const width = board.clientWidth;
  const height = board.clientHeight;
  if (!width || !places.size) return;
  const fitting = features.filter((f) => places.has(f.id) && fits(f));
  const inside = new Set(fitting.map((f) => f.id));
  if (chosen !== null && places.has(chosen)) inside.add(chosen);
  const first = inside.has(chosen) ? chosen : fitting[0]?.id;
  const dots = features.filter((f) => places.has(f.id)).sort((a, b) => inside.has(a.id) - inside.has(b.id))
    .map((f) => dot(f, inside.has(f.id), f.id === first));
  const picture = makeSvg("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": "map of features: close means alike; arrow keys move, Enter chooses",
  },
    makeSvg("g", { class: "mm-lines", "aria-hidden": "true" }, ...neighbourLines()),
    makeSvg("g", {}, ...dots),
    makeSvg("g", { class: "mm-labels", "aria-hidden": "true" }, ...mapLabels(fitting, width, height)));
  redraw(board, () => board.replaceChildren(picture, tip));
}

function closest(event) {
  const { left, top } = board.getBoundingClientRect();
  let best = null;
  let least = REACH;
  for (const { dataset } of board.querySelectorAll(".mm-dot[role]")) {
    const [x, y] = position(+dataset.dot);
    const distance = Math.hypot(event.clientX - left - x, event.clientY - top - y);
    if (distance < least) [best, least] = [+dataset.dot, distance];
  }
  return best;
}

function onClick(event) {
  const id = closest(event);
  if (id !== null) choose(id, true);
}

export function hover(id) {
  if (tip.dataset.id === String(id)) return;
  tip.dataset.id = id;
  tip.hidden = id === null;
  if (id === null) return;
  const f = state.byId.get(id);
  const [x, y] = position(id);
  tip.replaceChildren(tiles(id, 3), make("span", {}, inkShape(f.modality), ` ${f.name}`));
  tip.style.left = `${Math.min(Math.max(x, TIP.side), board.clientWidth - TIP.side)}px`;
  tip.style.top = `${y}px`;
  tip.classList.toggle("mm-below", y < TIP.above);
  fetchSheets([id]);
}

// the nearest dot in a direction; what lies aside counts double
function neighbourDot(from, [dx, dy]) {
  const [x, y] = position(from);
  let best = null;
  let least = Infinity;
  for (const other of board.querySelectorAll(".mm-dot[role]")) {
    const [u, v] = position(+other.dataset.dot);
    const along = (u - x) * dx + (v - y) * dy;
    const aside = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
    if (along > 0.5 && along + 2 * aside < least) [best, least] = [other, along + 2 * aside];
  }
  return best;
}

function onDotKey(event) {
  const at = event.target.dataset?.dot;
  const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  if (at === undefined) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    choose(+at, true);
  }
  if (!direction) return;
  event.preventDefault();
  const next = neighbourDot(+at, direction);
  if (!next) return;
  event.target.setAttribute("tabindex", -1);
  next.setAttribute("tabindex", 0);
  next.focus();
  hover(+next.dataset.dot);
}
