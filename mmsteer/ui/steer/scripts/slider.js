// A row's slider, with the same strength as a number beside it.
import { make } from "../../shared/scripts/dom.js";
import { announceMove, changed, isRisky, usableRange } from "./rows.js";

const STEP = 0.05;
const PAST = 1.25; // a little past where pictures get odd, so that this can be seen
const KEYS = ["Arrow", "Page", "Home", "End"];

function limits(feature) {
  const past = isRisky(feature) ? 1 : PAST;
  return usableRange(feature).map((end) =>
    Math.sign(end) * Math.min(props.strongest, STEP * Math.round(Math.abs(past * end) / STEP)));
}

function marks(feature, [low, high]) {
  const place = (value) => `left:${(100 * (value - low)) / (high - low)}%`;
  const ends = isRisky(feature) ? [] : feature.usable;
  return make("span", { class: "mm-marks", "aria-hidden": "true" },
    make("i", { style: place(0) }, "0"),
    high < 1 ? null : make("i", { style: place(1), title: "1 activation scale: as strong as the feature normally gets" }, "1"),
    ...ends.map((end) => make("i", { class: "mm-odd", style: place(end), title: `past ${end} pictures get odd` }, "odd")));
}

export function slider(row, feature) {
  const [low, high] = limits(feature);
  const set = (value, now) => {
    if (!Number.isFinite(value)) return;
    row.strength = +Math.min(high, Math.max(low, Math.round(value / STEP) * STEP)).toFixed(2); // 0.35, as a link has it
    range.value = number.value = row.strength;
    changed(now, row);
  };
  const range = make("input", {
    type: "range", min: low, max: high, step: STEP, "aria-label": `strength of ${feature.name}`,
    oninput: () => {
      number.value = range.value;
      announceMove({ ...row, strength: +range.value });
    },
    onpointerup: () => set(+range.value, true),
    onpointercancel: () => set(+range.value, true), // a finger that scrolls on: what the slider shows is drawn
    onkeyup: (event) => KEYS.some((key) => event.key.startsWith(key)) && set(+range.value, false),
  });
  const number = make("input", {
    type: "number", min: low, max: high, step: STEP, "aria-label": `strength of ${feature.name}, as a number`,
    onchange: () => set(number.value === "" ? NaN : +number.value, true),
  });
  range.value = number.value = +row.strength.toFixed(2);
  const track = make("div", { class: "mm-track" }, range, marks(feature, [low, high]));
  return make("div", { class: "mm-strength" }, track, number);
}
