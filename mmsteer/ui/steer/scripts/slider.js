// A row's slider, and the same strength as a number among its options.
import { make } from "../../shared/scripts/dom.js";
import { STEP, strengthLimits, within } from "../../shared/scripts/strength.js";
import { announceMove, changed, isOneWay, isRisky, usableRange } from "./rows.js";
import { render } from "./rack.js";

const KEYS = ["Arrow", "Page", "Home", "End"];

const limits = (row, feature) =>
  strengthLimits(usableRange(feature), props.strongest, { risky: isRisky(feature), startsAtZero: isOneWay(row) });

const share = (value, [low, high]) => (100 * (value - low)) / (high - low);

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
  const range = make("input", {
    type: "range", min: ends[0], max: ends[1], step: STEP, "aria-label": `strength of ${feature.name}`,
    oninput: () => {
      paint();
      announceMove({ ...row, strength: +range.value });
    },
    onpointerup: () => set(+range.value, true),
    onpointercancel: putBack, // a finger that scrolls the page: it did not mean the slider
    onkeyup: (event) => KEYS.some((key) => event.key.startsWith(key)) && set(+range.value, false),
  });
  // the bar is filled from zero to the strength, whichever side that is
  function paint() {
    const [from, to] = [share(0, ends), share(+range.value, ends)].sort((a, b) => a - b);
    range.style.setProperty("--from", `${from}%`);
    range.style.setProperty("--to", `${to}%`);
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
  function putBack() {
    range.value = row.strength;
    paint();
    changed(true, row); // a picture on its way to where the finger was gives way to the pair that was there
  }
  range.value = +row.strength.toFixed(2);
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
