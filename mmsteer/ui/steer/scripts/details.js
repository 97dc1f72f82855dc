// What a row shows when it is opened: switches, its strength as a number, what its slider does, on which words, and in which steps.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { promptText, wordsIn } from "../../shared/scripts/prompt_words.js";
import { changed, store } from "./rows.js";
import { leftOver } from "./left.js";
import { numberField } from "./slider.js";
import { render } from "./rack.js";

const MODES = {
  slide: "adds; left of zero removes what the prompt contains",
  add: "adds; left of zero pushes the other way",
  set: "sets it to this value, whatever the prompt contains",
};
const LATE = "The first steps decide the layout, the last ones details: an edit that starts late changes little";
const SHORTEST = 0.05; // part of the run

// each word once; one that the prompt has several times also by the number of each occurrence
function promptWords() {
  const count = new Map();
  for (const word of wordsIn(promptText())) count.set(word, (count.get(word) ?? 0) + 1);
  const numbered = (word, times) => Array.from({ length: times }, (_, k) => `${word}#${k + 1}`);
  return [...count].flatMap(([word, times]) => [word, ...(times > 1 ? numbered(word, times) : [])]);
}

function wordChips(row) {
  return promptWords().map((word) => {
    const isOn = row.words.includes(word);
    const toggle = () => {
      row.words = isOn ? row.words.filter((other) => other !== word) : [...row.words, word];
      render();
      changed();
    };
    return chip(word, toggle, { "aria-pressed": pressed(isOn) });
  });
}

// an end that is moved past the other one pushes it along
function moveEnd(row, end, value) {
  row[end] = value;
  if (row.start < row.end) return;
  if (end === "start") {
    row.start = Math.min(row.start, 1 - SHORTEST);
    row.end = row.start + SHORTEST;
  } else {
    row.end = Math.max(row.end, SHORTEST);
    row.start = row.end - SHORTEST;
  }
}

function endSlider(row, feature, end) {
  const label = end === "start" ? "from" : "to";
  const percent = make("output", {}, `${Math.round(100 * row[end])} %`);
  const range = make("input", {
    type: "range", min: 0, max: 100, step: 5, "aria-label": `${feature.name}: ${label}, percent of the steps`,
    oninput: () => (percent.textContent = `${range.value} %`),
    onchange: () => {
      moveEnd(row, end, +range.value / 100);
      render();
      changed(false);
    },
  });
  range.value = Math.round(100 * row[end]);
  return make("label", { class: "mm-end" }, label, range, percent);
}

function toggle(row, feature, key, text, title) {
  const flip = () => {
    row[key] = !row[key];
    render();
    if (key === "on") changed();
    else store();
  };
  return chip(text, flip, { "aria-label": `${feature.name}: ${text}`, "aria-pressed": pressed(row[key]), title });
}

export function details(row, feature) {
  const options = Object.entries(MODES).map(([mode, meaning]) =>
    make("option", { value: mode, selected: row.mode === mode }, meaning));
  const choose = () => {
    row.mode = modes.value;
    changed();
  };
  const modes = make("select", { "aria-label": `what the slider of ${feature.name} does`, onchange: choose }, ...options);
  // some backbones read the prompt once for the whole run; a range that a link has set can be undone all the same
  const hasRange = props.phases || row.start > 0 || row.end < 1;
  const hasWords = props.words || row.words.length > 0; // likewise: some read CLIP as one vector for the whole prompt
  return make("div", { class: "mm-details" },
    make("div", { class: "mm-words" },
      toggle(row, feature, "on", "on", "switch it off and keep its value"),
      toggle(row, feature, "locked", "locked", "keep it when surprised"),
      make("label", {}, "strength ", numberField(row, feature))),
    feature.isDirection ? null : make("label", { class: "mm-words" }, "the slider", modes), // it has one way to act
    hasWords ? make("div", { class: "mm-words", role: "group", "aria-label": `words that ${feature.name} applies to` },
      make("span", {}, row.words.length ? "on" : "on all words, or pick:"), ...wordChips(row)) : null,
    hasRange ? make("div", { class: "mm-ends" }, make("span", { title: LATE }, "steps of drawing: early … late"),
      ...["start", "end"].map((end) => endSlider(row, feature, end))) : null,
    leftOver(row));
}
