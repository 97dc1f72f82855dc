// Example pictures. A feature's sheet is a strip of square tiles: the first few are shown, or all of them.
import { make } from "../../shared/scripts/dom.js";

const MOST = props.most;
const sheets = new Map(); // id -> data URL, or null for a feature without example pictures

// with what is said of each tile below it, if anything is
export function tiles(id, count, label, below = []) {
  const attributes = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  const row = make("span", { class: "mm-tiles", ...attributes });
  for (let k = 0; k < count; k++) {
    const tile = make("span", { style: `--k:${k}`, "data-sheet": id });
    row.append(below[k] ? make("div", {}, tile, below[k]) : tile);
  }
  return row;
}

export function paintTiles(scope = element) {
  for (const tile of scope.querySelectorAll("[data-sheet]")) {
    const sheet = sheets.get(+tile.dataset.sheet);
    if (sheet) tile.style.backgroundImage = `url(${sheet})`;
    if (sheet === null) tile.closest(".mm-tiles").classList.add("mm-none");
  }
}

export async function fetchSheets(ids) {
  const missing = ids.filter((id) => !sheets.has(id)).slice(0, MOST);
  if (missing.length) {
    const answer = await server.sheets(missing);
    if (answer && !answer.error) for (const [id, sheet] of Object.entries(answer)) sheets.set(+id, sheet);
  }
  paintTiles();
}
