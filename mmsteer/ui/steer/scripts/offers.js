// The search that adds features: a field, and below it, once it is used, a choice of modality and features as chips. Last come
// sliders to be made: of the words themselves, two with an arrow between them or one, and of pictures.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { LABELS, MODALITIES, byMatch, inTurn, matches, shape } from "../../shared/scripts/features.js";
import { rack, add } from "./rows.js";
import { render } from "./rack.js";

const CHIPS = props.chips;
const ARROW = /→|->/;
let filter = "all";

const search = make("input", {
  type: "search", placeholder: "Add a feature: penguin, night … or cat -> dog", "aria-label": "add a feature", oninput: renderOffers,
  onfocus: () => (offered.hidden = false),
  onkeydown: (event) => event.key === "Enter" && ARROW.test(search.value) && ask(),
});
const filters = make("div", { class: "mm-filters", role: "group", "aria-label": "show features of" });
const chips = make("div", { class: "mm-chips" });
const own = make("div", { class: "mm-own" });
const problem = make("div", { role: "alert" });
const offered = make("div", { class: "mm-offered", hidden: true }, filters, chips, own, problem);

export const offers = [search, offered];

export function renderFilters() {
  const choose = (name) => {
    filter = name;
    render();
  };
  filters.replaceChildren(...["all", ...MODALITIES].map((name) =>
    chip(LABELS[name] ?? name, () => choose(name), { "aria-pressed": pressed(filter === name) })));
}

// "summer -> winter" as it is; of one word what leads to it
function wording() {
  const text = search.value.replaceAll("->", "→").trim();
  return ARROW.test(text) ? text : `→ ${text}`;
}

function ask() {
  complain("");
  window.dispatchEvent(new CustomEvent("mm-type", { detail: wording() }));
}

export function complain(error) {
  problem.replaceChildren(...(error ? [make("p", { class: "mm-problem" }, error)] : []));
}

export function empty() {
  search.value = "";
  complain("");
}

function typedChip() {
  const title = "a slider of these words, made by the text encoder: from the first to the second, or towards the one";
  return make("button", { type: "button", class: "mm-chip mm-typed", title, onclick: ask }, `make a slider: ${wording()}`);
}

function picturesChip() {
  const title = "a slider of what some pictures of yours show and others do not";
  const open = () => window.dispatchEvent(new CustomEvent("mm-from-pictures"));
  return chip("make a slider from pictures …", open, { title, class: "mm-chip mm-typed" });
}

export function renderOffers() {
  const text = search.value.trim().toLowerCase();
  const taken = new Set(rack.rows.map((row) => row.id));
  const fits = (f) => f.named && !taken.has(f.id) && (filter === "all" || f.modality === filter) && matches(f, text);
  const sorted = props.catalogue.filter(fits).sort(byMatch(text));
  const shown = !text && filter === "all" ? inTurn(sorted.filter((f) => f.descriptive)) : sorted;
  chips.replaceChildren(...shown.slice(0, CHIPS).map((f) => make("button", {
    type: "button", class: `mm-chip mm-of-${f.modality}`, title: f.scoreTooltip, onclick: () => add(f.id),
  }, shape(f.modality), ` ${f.name}`)));
  if (!shown.length && !ARROW.test(text)) {
    chips.replaceChildren(make("p", { class: "mm-empty" }, `No feature is called ${search.value.trim()}. Try another word.`));
  }
  own.replaceChildren(...(text ? [typedChip()] : []), picturesChip());
}
