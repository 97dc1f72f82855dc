// A row's slider, and the same strength as a number among its options.
import { make } from "../../shared/scripts/dom.js";
import { fillBar, rangeInput, share } from "../../shared/scripts/range.js";
import { STEP, strengthLimits, within } from "../../shared/scripts/strength.js";
import { announceMove, changed, isOneWay, isRisky, usableRange } from "./rows.js";
import { render } from "./rack.js";

const limits = (row, feature) =>
  strengthLimits(usableRange(feature), props.strongest, { risky: isRisky(feature), startsAtZero: isOneWay(row) });

function marks(feature, ends) {
  const mark = (value, text, title) =>
    make("i", { style: `left:${share(value, ends)}%`, title, class: value > ends[0] && value < ends[1] ? "" : "mm-edge" }, text);
  const tooMuch = isRisky(feature) ? [] : feature.usable.filter((end) => end > ends[0]);
  return make("span", { class: "mm-marks", "aria-hidden": "true" },
    mark(0, "0"),
    ends[1] < 1 ? null : mark(1, "natural", "1 activation scale: as strong as the feature normally gets"),
    ...tooMuch.map((end) => mark(end, "too much", `past ${end} pictures get odd`)));
}

export function slider(row, feature) {
  const ends = limits(row, feature);
  const output = make("output", { class: "mm-value" });
  const range = rangeInput({
    min: ends[0], max: ends[1], step: STEP, "aria-label": `strength of ${feature.name}`,
    value: () => +row.strength.toFixed(2),
    move: (strength) => {
      paint();
      announceMove({ ...row, strength });
    },
    rest: (strength) => set(strength, true),
    key: (strength) => set(strength, false),
    back: () => {
      paint();
      changed(true, row); // a picture on its way to where the finger was gives way to the pair that was there
    },
  });
  function paint() {
    fillBar(range, +range.value, ends);
    output.textContent = (+range.value).toFixed(2);
  }
  function set(value, now) {
    row.strength = within(value, ends);
    range.value = row.strength;
    const number = range.closest(".mm-row").querySelector("input[type=number]");
    if (number) number.value = row.strength;
    paint();
    changed(now, row);
  }
  paint();
  return make("div", { class: "mm-strength" }, make("div", { class: "mm-track" }, range, marks(feature, ends)), output);
}

export function numberField(row, feature) {
  const [low, high] = limits({ ...row, strength: -1 }, feature);
  const field = make("input", {
    type: "number", min: low, max: high, step: STEP, "aria-label": `strength of ${feature.name}, as a number`,
    onchange: () => {
      if (field.value === "") return;
      row.strength = within(+field.value, [low, high]);
      render();
      changed(true, row);
    },
  });
  field.value = +row.strength.toFixed(2);
  return field;
}
