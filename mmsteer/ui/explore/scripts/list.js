// The list of features, a few at a time.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { inkShape } from "../../shared/scripts/features.js";
import { choose } from "./choice.js";
import { ranked } from "./filter.js";
import { box } from "./picks.js";
import { field, searchByMeaning } from "./search.js";
import { isInRack, redraw, state } from "./state.js";
import { fetchSheets, tiles } from "./tiles.js";

const PAGE = props.most;
const count = make("p", { class: "mm-count", role: "status" });
const byMeaning = chip("Search by meaning instead", searchByMeaning, { hidden: true });
const results = make("ul", { class: "mm-results", "aria-label": "features" });

export const listSection = make("section", { class: "mm-list", "aria-label": "list" }, count, byMeaning, results);

export function showCount(text) {
  count.textContent = text;
}

function item(f) {
  const cosine = state.similarity?.get(f.id)?.toFixed(2);
  const name = make("span", { class: "mm-item-name" }, inkShape(f.modality), ` ${f.name}`);
  const open = make("button", {
    type: "button", class: "mm-item", "data-key": `item ${f.id}`, "data-id": f.id,
    "aria-pressed": pressed(f.id === state.chosen), onclick: () => choose(f.id, true),
  }, tiles(f.id, 2), name, cosine && make("small", { title: "cosine with your words" }, cosine));
  const add = make("button", {
    type: "button", class: "mm-mini", "data-key": `add ${f.id}`, "data-mm-add": f.id, "data-mm-strength": 1,
    "aria-label": `add ${f.name} to the active features`, title: "add to the active features",
  }, isInRack(f.id) ? "✓" : "+");
  return make("li", {}, state.picking ? box(f) : null, open, add);
}

function showMore() {
  state.pages++;
  renderList();
}

export function renderList() {
  const fitting = ranked();
  const shown = fitting.slice(0, PAGE * state.pages);
  const text = field.value.trim();
  redraw(results, () => results.replaceChildren(...shown.map(item)));
  if (fitting.length > shown.length) results.append(make("li", {}, chip(`${fitting.length - shown.length} more`, showMore)));
  const nothing = `No feature fits${text ? ` “${text}”` : ""}.`;
  showCount(fitting.length ? `${fitting.length} of ${state.features.length} features` : nothing);
  byMeaning.hidden = Boolean(fitting.length || state.by === "meaning" || !text);
  for (let k = 0; k < shown.length; k += PAGE) fetchSheets(shown.slice(k, k + PAGE).map((f) => f.id));
}

export function markChosen() {
  for (const button of results.querySelectorAll(".mm-item")) {
    button.setAttribute("aria-pressed", pressed(+button.dataset.id === state.chosen));
  }
}
