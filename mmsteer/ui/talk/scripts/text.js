// What stands beside the pictures: title, lesson and features of a step; or the question whether a feature is seen, said, or both.
import { make } from "../../shared/scripts/dom.js";
import { LABELS, MODALITIES, badge, shape } from "../../shared/scripts/features.js";
import { asked, current, featuresOf, guess, guessesOf, pairOf, show, steps, typedOf } from "./state.js";

const named = (feature, ...more) => make("li", {}, make("span", { class: "mm-talk-name" }, `${feature.name} `), ...more);

const NOTHING = "There is nothing to show: add pictures to your talk by the menu of a picture.";

// how the score of a feature lies between words and pictures, and whether it was guessed
function answer(feature, guessed) {
  const { name, modality, mds } = feature;
  const right = guessed === modality ? "✓ " : guessed ? "✗ " : "";
  const bar = make("span", { class: `mm-bar mm-ink-${modality}`, "aria-hidden": "true" }, make("i", { style: `left:${100 * mds}%` }));
  const label = make("span", { class: `mm-badge mm-${modality}` }, shape(modality), ` ${LABELS[modality]}`);
  return make("li", { class: "mm-talk-answer" },
    make("span", { class: "mm-talk-name" }, `${right}${name} `, label),
    make("span", { class: "mm-talk-scale", title: feature.scoreTooltip }, "words", bar, "pictures", make("b", {}, mds.toFixed(2))));
}

function choices(step, render) {
  const choose = (modality) => {
    guess(step, modality);
    render();
  };
  return make("div", { class: "mm-talk-choices", role: "group", "aria-label": "your guess" }, ...MODALITIES.map((modality, k) =>
    make("button", { type: "button", onclick: () => choose(modality) }, make("kbd", {}, k + 1), shape(modality), ` ${LABELS[modality]}`)));
}

function quiz(step, number, render) {
  const features = featuresOf(step);
  const known = features.slice(0, number).map((feature, k) => answer(feature, guessesOf(step)[k]));
  return [
    make("h2", {}, `${features[number].name}: only seen, only said, or both?`),
    make("ul", { class: "mm-talk-features" }, ...known),
    choices(step, render),
  ];
}

function lesson(step) {
  const { prompt } = step;
  const features = featuresOf(step).map((feature, k) => (
    show.guessing ? answer(feature, guessesOf(step)[k]) : named(feature, badge(feature))
  ));
  return [
    make("h2", {}, step.title),
    make("p", { class: "mm-talk-lesson" }, step.lesson),
    make("ul", { class: "mm-talk-features", "aria-label": "features added" }, ...features),
    make("p", { class: "mm-talk-prompt" }, `“${prompt}”`),
  ];
}

function typedOrSteered(step) {
  const notes = typedOf(step)?.notes;
  const lines = ["One seed, the same noise three times.", notes].filter(Boolean).join(" ");
  return [make("h2", {}, "Type it or steer it?"), make("p", { class: "mm-talk-lesson" }, lines)];
}

// `render` shows the step again, after a guess
export function text(render) {
  const step = current();
  if (!step) return [make("p", { class: "mm-talk-lesson" }, NOTHING)];
  const number = asked(step);
  const body = number >= 0 ? quiz(step, number, render) : show.typed ? typedOrSteered(step) : lesson(step);
  const notes = pairOf(step)?.notes ?? step.notes ?? [];
  return [
    make("p", { class: "mm-talk-count" }, `${show.own ? "my talk: " : ""}${show.at + 1} of ${steps().length}`),
    ...body,
    notes.length ? make("p", { class: "mm-talk-notes" }, notes.join(" ")) : null,
  ].filter(Boolean);
}
