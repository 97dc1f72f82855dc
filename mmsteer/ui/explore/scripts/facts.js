// A feature's score on a scale, and its numbers with what they mean.
import { make } from "../../shared/scripts/dom.js";
import { LABELS, shape } from "../../shared/scripts/features.js";
import { signed } from "./state.js";

const BOTH = "the score over the pairs where it fires in the picture and in the caption: what the absolute rule reads";
const P_BOTH = "of the pairs on which it fires on either side, the share where it fires on both";
const STABILITY = "the bank was also built with other seeds and other pairs: the builds in which a feature has this steering vector, "
  + "this one included";
const USABLE = "between these strengths pictures hold together; 1 activation scale is as strong as the feature normally gets";

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

export function scale(f) {
  const cuts = props.rules.absolute.map((at) => make("i", { class: "mm-cut mm-cut-absolute", style: `left:${100 * at}%` }));
  const interval = `left:${100 * f.low}%;width:${Math.max(0.6, 100 * (f.high - f.low))}%`;
  const mark = shape(f.modality, { class: `mm-ink-${f.modality}`, style: `left:${100 * f.mds}%`, "aria-hidden": null });
  return make("div", { class: "mm-score-line", role: "img", "aria-label": f.scoreTooltip }, ...cuts, make("b", { style: interval }), mark);
}

// the absolute rule reads the score where both sides fire: so a class may lie on the other side of a line
export function why(f) {
  const [low, high] = props.rules.absolute;
  const at = f.mds.toFixed(2);
  if (f.modality === "cross" && (f.mds > high || f.mds < low)) {
    const [more, direction, line] = f.mds > high
      ? ["pictures show it more often than captions mention it", "right", high]
      : ["captions mention it more often than pictures show it", "left", low];
    return `Seen and said, though ${at} is ${direction} of the line at ${line.toFixed(2)}: ${more}. On the pairs where both sides `
      + `fire its score is ${f.both.toFixed(2)}, and that one decides.`;
  }
  if (f.modality !== "cross" && f.mds > low && f.mds < high) {
    return `${LABELS[f.modality]}, though ${at} is between the lines: it hardly ever fires on both sides of the same pair.`;
  }
  return null;
}

export function facts(f) {
  const interval = `${f.mds.toFixed(2)}, 95 % from ${f.low.toFixed(2)} to ${f.high.toFixed(2)}`;
  const rows = [
    ["score (MDS)", interval, `over ${f.pairs.toLocaleString("en")} pairs on which it fires`],
    ["where both sides fire", f.both == null ? "they never do" : f.both.toFixed(2), BOTH],
    ["modality", `${f.modality} (absolute rule), ${f.paper} (the paper's)`, ""],
    ["fires on", `${percent(f.rateImage)} of pictures, ${percent(f.rateText)} of captions`, ""],
    ["fires on both together", `${f.cofiring.toFixed(1)} times as often as by chance`, "co-firing: P(both) over what chance would give"],
    ["P(both | any)", f.pBoth.toFixed(2), P_BOTH],
    ...(f.foundIn ? [["stability", `found in ${f.foundIn[0]} of ${f.foundIn[1]} builds`, STABILITY]] : []),
    ["usable range", `${signed(f.usable[0])} to ${signed(f.usable[1])} activation scales`, USABLE],
  ];
  return make("dl", { class: "mm-facts" }, ...rows.flatMap(([name, value, title]) =>
    [make("dt", { title }, name), make("dd", { title }, value)]));
}
