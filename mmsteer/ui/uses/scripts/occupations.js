// Who is a doctor? Twelve pictures without and with the features of a class removed or pulled, and who is in them.
// The component's value is the question, {number, dozen} or {save, dozen}, then the answer: {opened}, {drawn}, {file} or {error}.
// One dozen is asked for at a time, and always the newest; what has been drawn stays in the browser.
import { make } from "../../shared/scripts/dom.js";
import { choice, featureChip, missing, problem, saveFile } from "./controls.js";
import { bar } from "./share.js";

const MOST = props.most;
const STEP = 0.25;
const state = { occupation: props.occupations[0], modality: "cross", way: "set", strength: 0.5 };
const drawn = new Map(); // dozen as JSON -> its pictures and figures
let number = 0;
let asked = null; // the dozen on its way, as JSON
let live = null; // whether pictures follow the slider; null until the tab is opened
let moving = false;

const grids = { before: grid("without"), after: grid("with") };
const error = problem();
const changed = make("p", { class: "mm-reading", role: "status" });
const features = make("div", { class: "mm-chips" });
const output = make("output", { class: "mm-score" });
const range = make("input", {
  type: "range", min: 0, max: MOST, step: STEP, "aria-label": "strength",
  oninput: () => {
    moving = true;
    set({ strength: +range.value });
  },
  onchange: () => {
    moving = false;
    follow();
  },
});
const named = (words) => new Map(Object.entries(words));
const controls = {
  occupation: choice("Occupation", new Map(props.occupations.map((name) => [name, name])), (occupation) => set({ occupation })),
  modality: choice("Features", named(props.classes), (modality) => set({ modality })),
  way: choice("are", named(props.ways), (way) => set({ way })),
};

function set(change) {
  Object.assign(state, change);
  error.say("");
  render();
  follow();
}

// without edits class and way make no difference
const dozen = (strength) => (strength ? { ...state, strength } : { ...state, modality: "cross", way: "remove", strength });

function follow() {
  if (live === null || asked) return;
  const wanted = [dozen(0), dozen(state.strength)].find((one) => !drawn.has(JSON.stringify(one)));
  if (!wanted || (moving && !live)) return;
  asked = JSON.stringify(wanted);
  props.value = { number: ++number, dozen: wanted };
  trigger("draw");
}

function save(which, picture) {
  props.value = { save: picture, dozen: dozen(which === "before" ? 0 : state.strength) };
  trigger("file");
}

function grid(title) {
  const pictures = Array.from({ length: props.count }, (_, k) => make("button", {
    type: "button", class: "mm-person mm-waiting", disabled: true, title: "save this picture with its recipe",
    onclick: () => save(title === "without" ? "before" : "after", k),
  }, make("img", { alt: "" })));
  const share = bar(title);
  return {
    node: make("figure", { class: "mm-people" },
      make("figcaption", {}, title === "without" ? "Without edits" : "With the features changed"),
      make("div", { class: "mm-people-grid" }, ...pictures), share.node),
    show: (answer) => {
      answer.pictures.forEach(({ src, alt }, k) => {
        Object.assign(pictures[k].firstChild, { src, alt });
        pictures[k].disabled = false;
        pictures[k].classList.remove("mm-waiting");
      });
      share.show(answer);
    },
  };
}

function render() {
  for (const [name, control] of Object.entries(controls)) control.show(state[name]);
  range.value = state.strength;
  output.textContent = state.strength.toFixed(2);
  const [before, after] = [0, state.strength].map((strength) => drawn.get(JSON.stringify(dozen(strength))));
  if (before) grids.before.show(before);
  if (after) showAfter(after);
  grids.after.node.toggleAttribute("data-old", !after);
}

function showAfter(answer) {
  grids.after.show(answer);
  changed.textContent = answer.changed || "Nothing is changed at strength 0.";
  const lead = make("span", { class: "mm-lead-in" }, answer.features.length ? "Changed features" : "No feature is changed.");
  features.replaceChildren(lead, ...answer.features.map((feature) => featureChip(feature)));
}

function openTab({ opened, error: sentence }) {
  if (opened) live = opened.live;
  if (sentence) missing(sentence);
  follow();
}

function received({ number: of, drawn: answer, error: sentence }) {
  if (of !== number) return; // of an earlier question
  if (answer) drawn.set(asked, answer);
  else error.say(sentence);
  asked = null;
  render();
  if (answer) follow(); // after an error, asking again would fail again
}

function answered() {
  const message = props.value ?? {};
  if (live === null) return openTab(message);
  if (message.file) saveFile(message.file);
  else if ("number" in message && (message.drawn || message.error)) received(message);
  else if (message.error) error.say(message.error);
}

element.querySelector(".mm-use").replaceChildren(
  make("h2", {}, props.title),
  make("p", { class: "mm-lead-in" }, "Twelve pictures, always from the same noise, of a prompt that says neither man nor woman. "
    + "Change the five features of one class that carry most of the difference, and watch who is drawn."),
  ...Object.values(controls).map(({ node }) => node),
  make("label", { class: "mm-dial" }, make("span", { class: "mm-lead-in" }, "Strength"), range, output),
  error.node,
  make("div", { class: "mm-two" }, grids.before.node, grids.after.node),
  changed, features);
watch("value", answered);
render();
answered();
