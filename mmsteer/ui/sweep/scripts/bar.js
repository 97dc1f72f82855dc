// The bar of the sweep panel: what to sweep, and how far it is.
import { make } from "../../shared/scripts/dom.js";
import { begin, stopOrGoOn } from "./run.js";

const feature = make("select", { "aria-label": "feature to sweep", onchange: offerRows });
const other = make("select", { "aria-label": "second feature of the grid" });
const over = starter("over", "Try all strengths", "one feature over its usable range");
const against = starter("against", "Compare two", "two features over their usable ranges, as a grid");
const each = starter("each", "On my prompt", "what twelve features do to this prompt, one picture each");
const seeds = starter("seeds", "Same edit, six pictures", "before and after from six seeds");
export const halt = make("button", { type: "button", class: "mm-chip mm-halt", onclick: stopOrGoOn }, "Stop");
export const status = make("span", { class: "mm-sweep-status", role: "status" });
export const bar = make("div", { class: "mm-sweep-bar" },
  make("h2", {}, "Try more"),
  each,
  make("span", {}, feature, over),
  make("span", {}, make("span", { class: "mm-lead-in" }, "and also"), other, against),
  seeds, halt, status);

function starter(kind, text, title) {
  return make("button", { type: "button", class: "mm-chip", "data-kind": kind, title, onclick: () => begin(kind) }, text);
}

// the id of a row: a feature's number, or the name of a direction
const chosen = (select) => (window.mmRack?.rows ?? []).find(({ id }) => String(id) === select.value)?.id;

export function sweptFeatures(kind) {
  return { over: [chosen(feature)], against: [chosen(feature), chosen(other)], seeds: [], each: [] }[kind];
}

function fillSelect(select, rows, missing) {
  const before = select.value;
  const options = rows.map(({ id, name }) => make("option", { value: id }, name));
  select.replaceChildren(...(options.length ? options : [make("option", {}, missing)]));
  if (rows.some((row) => String(row.id) === before)) select.value = before;
}

// the rows of the rack as options; each select keeps its choice while that is possible
export function offerRows() {
  const rows = window.mmRack?.rows ?? [];
  fillSelect(feature, rows, "no active feature");
  fillSelect(other, rows.filter((row) => String(row.id) !== feature.value), "a second feature");
  over.disabled = feature.disabled = rows.length < 1;
  against.disabled = other.disabled = rows.length < 2;
}

export function chooseFeature(id) {
  feature.value = id;
  offerRows();
}
