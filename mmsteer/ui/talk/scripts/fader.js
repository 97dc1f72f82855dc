// The slider of a step: one feature by its strength, several together by a share of theirs. The picture follows it.
import { make } from "../../shared/scripts/dom.js";
import { PAUSE, fillBar, rangeInput } from "../../shared/scripts/range.js";
import { STEP, strengthLimits, within } from "../../shared/scripts/strength.js";
import { asked, current, featuresOf, pairOf } from "./state.js";

const NUDGE = 2 * STEP; // a key moves so far
const UP_TO = 1.25; // of their strengths, for several features together
let fader = null; // of the step shown; null where it has none
let timer;

const announce = (detail) => window.dispatchEvent(new CustomEvent("mm-fader", { detail }));

function settings({ query, fader: { rack, ranges } }) {
  const strengths = rack.rows.map(({ strength }) => strength);
  const together = strengths.length > 1;
  const at = together ? 1 : strengths[0];
  const [low, high] = together ? [0, Math.min(UP_TO, props.strongest / Math.max(...strengths.map(Math.abs), 1))]
    : strengthLimits(ranges[0].usable, props.strongest, ranges[0]);
  const limits = [Math.min(low, at), Math.max(high, at)];
  return { query, rack, together, at, limits, newest: null };
}

// the question for a frame with the slider there; the same one for the same value, so that it is not drawn twice
function question(value) {
  if (fader.newest?.value !== value) {
    const strength = (row) => (fader.together ? row.strength * value : value);
    const rows = fader.rack.rows.map((row) => ({ ...row, strength: strength(row) }));
    fader.newest = { value, asks: { query: fader.query, rack: { ...fader.rack, rows } } };
  }
  return fader.newest.asks;
}

function paint(value) {
  fillBar(fader.range, value, fader.limits);
  fader.output.textContent = fader.together ? `${Math.round(100 * value)} %` : value.toFixed(2);
}

function move(value) {
  paint(value);
  announce({ move: question(value) });
}

function rest(value) {
  fader.at = value;
  if (fader.newest) announce({ rest: question(value) });
}

function build(names) {
  const name = names.length > 1 ? `all ${names.length} features together` : names[0];
  fader.output = make("output");
  fader.range = rangeInput({
    min: fader.limits[0], max: fader.limits[1], tabindex: -1, "aria-label": `strength of ${name}: plus and minus keys`,
    value: () => fader.at, move, rest,
  });
  paint(fader.at);
  return make("label", { class: "mm-talk-fader" }, make("span", {}, name), fader.output, fader.range);
}

const reason = (sentence) => make("p", { class: "mm-talk-reason" }, sentence);

// The slider of the step shown. It starts where the picture is; nothing is drawn until somebody moves it.
export function renderFader() {
  clearTimeout(timer);
  announce({ gone: true });
  fader = null;
  const step = current();
  const pair = step && pairOf(step);
  if (!step || asked(step) >= 0) return "";
  if (pair?.error) return pair.after ? reason(pair.error) : "";
  if (!pair?.fader) return reason("The slider waits for the model.");
  if (pair.fader.reason) return reason(pair.fader.reason);
  announce({ seconds: pair.seconds });
  fader = settings(pair);
  return build(featuresOf(step).map(({ name }) => name));
}

export function nudge(direction) {
  if (!fader) return;
  const value = within(+fader.range.value + direction * NUDGE, fader.limits);
  fader.range.value = value;
  move(value);
  clearTimeout(timer);
  timer = setTimeout(() => rest(value), PAUSE);
}
