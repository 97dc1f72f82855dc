// The pictures of a step: before and after with a movable border, or in turn; or before, typed and steered side by side.
import { make, tag } from "../../shared/scripts/dom.js";
import { LABELS } from "../../shared/scripts/features.js";
import { asked, current, featuresOf, pairOf, show, typedOf } from "./state.js";

const LITTLE = 1; // percent of pixels: where less changes, a border shows nothing, and the pictures are shown in turn

// blinking is for what a border cannot show, unless the speaker has chosen
export function view() {
  const pair = current() && pairOf(current());
  return show.view ?? (parseFloat(pair?.changed) < LITTLE ? "blink" : "slide");
}

const empty = (sentence) => make("div", { class: "mm-compare mm-waiting" }, make("p", {}, sentence));

// "33 % changed: seen and said"
function stamp(pair) {
  const modalities = new Set(featuresOf(current()).map(({ modality }) => modality));
  const label = modalities.size === 1 ? `: ${LABELS[[...modalities][0]]}` : "";
  return make("p", { class: "mm-stamp", title: props.meaning },
    make("b", { class: "mm-stamp-number" }, pair.changed), label);
}

// up shows more of before, down more of after; where they are shown in turn, one of them stays
export function moveBorder(value) {
  const figure = show.stage.querySelector("figure");
  if (!figure || show.typed) return;
  if (figure.matches(".mm-blink")) {
    figure.dataset.still = value > show.cut ? "before" : "after";
    return;
  }
  show.cut = Math.min(100, Math.max(0, value));
  figure.classList.remove("mm-reveal");
  figure.style.setProperty("--cut", `${show.cut}%`);
  const range = figure.querySelector("input");
  if (range) range.value = show.cut;
}

function border(pair) {
  return make("figure", { class: "mm-compare mm-slide mm-reveal", style: "--cut:50%" },
    ...["before", "after"].map((which) => make("img", { class: `mm-${which}`, ...pair[which] })),
    tag("before"), tag("after"),
    make("span", { class: "mm-border", "aria-hidden": "true" }),
    make("input", {
      type: "range", min: 0, max: 100, value: 50, tabindex: -1,
      "aria-label": "Border between before and after, percent: up and down keys",
      oninput: (event) => moveBorder(+event.target.value),
    }),
    stamp(pair));
}

const alternating = (pair) => make("figure", { class: "mm-compare mm-blink" },
  ...["before", "after"].map((which) => make("img", { class: `mm-${which}`, ...pair[which] })),
  tag("before"), tag("after"), stamp(pair));

const onlyBefore = (pair) => make("figure", { class: "mm-compare" }, make("img", pair.before), tag("before"));

function column(which, name, picture, text, number) {
  return make("figure", { class: `mm-column mm-column-${which}` },
    make("div", { class: "mm-compare" }, picture, tag("before", name)),
    make("figcaption", {}, make("q", {}, text), number));
}

function sideBySide(pair) {
  const { prompt } = current();
  const words = typedOf(current());
  const steered = make("b", { class: "mm-stamp-number" }, pair.changed);
  const picture = words?.picture ? make("img", { src: words.picture, alt: `Typed: ${words.prompt}` }) : empty(words?.error ?? "Drawing …");
  return make("div", { class: "mm-columns" },
    column("plain", "before", make("img", pair.before), prompt, null),
    column("typed", "typed", picture, words?.prompt ?? "…", words?.changed ? make("b", {}, words.changed) : null),
    column("steered", "steered", make("img", { class: "mm-after", ...pair.after }), prompt,
      make("span", {}, featuresOf(current()).map(({ name }) => `+ ${name}`).join(" "), " ", steered)));
}

export function pictures() {
  const step = current();
  const pair = step && pairOf(step);
  show.cut = 50;
  if (!step) return empty("");
  if (!pair?.after) return empty(pair?.error ?? "Drawing …");
  if (asked(step) >= 0) return onlyBefore(pair);
  if (show.typed) return sideBySide(pair);
  return view() === "blink" ? alternating(pair) : border(pair);
}

// The drawn pair takes the place of the one drawn ahead, and nothing moves; false if another picture is to be shown.
export function exchange() {
  const figure = show.stage.querySelector(".mm-talk-pair > figure");
  const pair = pairOf(current());
  if (!pair.after || !figure?.matches(view() === "blink" ? ".mm-blink" : ".mm-slide")) return false;
  for (const which of ["before", "after"]) Object.assign(figure.querySelector(`.mm-${which}`), pair[which]);
  figure.querySelector(".mm-stamp-number").textContent = pair.changed;
  return true;
}

// a frame while the slider moves
export function showFrame({ after, changed }) {
  const picture = show.stage?.querySelector(".mm-after");
  if (!picture) return;
  Object.assign(picture, after);
  for (const number of show.stage.querySelectorAll(".mm-stamp-number")) number.textContent = changed;
}
