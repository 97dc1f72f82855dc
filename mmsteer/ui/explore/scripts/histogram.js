// The histogram of Modality Dominance Scores. A bar filters the list and the map.
import { make, pressed } from "../../shared/scripts/dom.js";
import { BARS, barOf, fitsOthers } from "./filter.js";
import { refresh } from "./choice.js";
import { redraw, state } from "./state.js";

export const chart = make("div", {
  class: "mm-chart", role: "group", onkeydown: onBarKey,
  "aria-label": "features by Modality Dominance Score; arrow keys move, Enter shows the features of one bar only",
});

function toggle(k) {
  state.bar = state.bar === k ? null : k;
  refresh();
}

function barButton(counts, k, highest) {
  const parts = Object.entries(counts).filter(([, n]) => n);
  const contents = parts.map(([name, n]) => `${n} ${name}`).join(", ") || "none";
  const label = `score ${(k / BARS).toFixed(2)} to ${((k + 1) / BARS).toFixed(2)}: ${contents}`;
  return make("button", {
    type: "button", class: "mm-bar-of", "data-key": `bar ${k}`, "data-bar": k, tabindex: k === (state.bar ?? 0) ? 0 : -1,
    "aria-pressed": pressed(state.bar === k), "aria-label": label, title: `${label}; click to see only these`,
    onclick: () => toggle(k),
  }, ...parts.map(([name, n]) => make("span", { class: `mm-stack mm-fill-${name}`, style: `height:${(100 * n) / highest}%` })));
}

function cutLines() {
  return ["absolute", "paper"].flatMap((rule) => props.rules[rule].map((cut) =>
    make("i", { class: `mm-cut mm-cut-${rule}`, style: `left:${100 * cut}%`, "aria-hidden": "true" })));
}

export function renderHistogram() {
  const bars = Array.from({ length: BARS }, () => ({ vision: 0, language: 0, cross: 0 }));
  for (const f of state.features.filter(fitsOthers)) bars[barOf(f)][f.modality]++;
  const highest = Math.max(1, ...bars.map(({ vision, language, cross }) => vision + language + cross));
  redraw(chart, () => chart.replaceChildren(...bars.map((counts, k) => barButton(counts, k, highest)), ...cutLines()));
}

function onBarKey(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const next = +event.target.dataset?.bar + step;
  const to = { Home: 0, End: BARS - 1 }[event.key] ?? next;
  if (!(to >= 0 && to < BARS)) return;
  event.preventDefault();
  chart.querySelector(`[data-bar="${to}"]`).focus();
}
