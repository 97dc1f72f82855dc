// How far the slider of a feature goes.
export const STEP = 0.05;
const PAST = 1.25; // a little past where pictures get odd, so that this can be seen

// `strongest` is what an edit may have; a `risky` feature breaks pictures soon; a slider that `startsAtZero` does nothing below
export function strengthLimits(usable, strongest, { risky, startsAtZero }) {
  const [low, high] = usable.map((end) =>
    Math.sign(end) * Math.min(strongest, STEP * Math.round(Math.abs((risky ? 1 : PAST) * end) / STEP)));
  return [startsAtZero ? 0 : low, high];
}

// the strength within its limits, as a link has it: 0.35
export const within = (value, [low, high]) => +Math.min(high, Math.max(low, Math.round(value / STEP) * STEP)).toFixed(2);
