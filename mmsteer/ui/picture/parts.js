// A picture's parts, one card per modality: a strength, and its features, [{id, name, named, activation, scoreTooltip}]; and the
// whole picture. The server says which: `in_picture` by modality, with its embedding, `in_caption`, and why there is `no_whole`.
// The value belongs to the browser alone, so that no answer undoes a later move: {strengths: {modality: number}, parts: in_picture};
// the server checks all of it.
import { make, pressed } from "../shared/scripts/dom.js";
import { rangeInput } from "../shared/scripts/range.js";

const SHAPES = props.shapes;
const MOST = props.most;
const TITLES = props.titles;
const EMPTY = props.empty;
const note = make("p", { class: "mm-note", role: "status", hidden: true });
const cards = new Map(); // modality -> its render function
const state = structuredClone(props.value);

function changed() {
  props.value = structuredClone(state);
  trigger("release");
}

function only(modality) {
  for (const other of cards.keys()) state.strengths[other] = other === modality ? 1 : 0;
  render();
  changed();
}

function partSlider(part, most, label, out) {
  return rangeInput({
    min: 0, max: most, "aria-label": label,
    value: () => state.strengths[part] ?? 0,
    move: (value) => (out.textContent = value.toFixed(2)),
    rest: (value) => {
      state.strengths[part] = value;
      changed();
    },
  });
}

function featureChip(modality, feature) {
  const strength = feature.activation.toFixed(2);
  const say = () => {
    note.textContent = `${feature.name} is among the active features of the tab Steer, at ${strength}.`;
    note.hidden = false;
  };
  return make("button", {
    type: "button", class: `mm-chip mm-of-${modality}`, "data-mm-add": feature.id, "data-mm-strength": strength,
    title: `${feature.scoreTooltip}; click to add it to the active features`, onclick: say,
  }, make("span", { "aria-hidden": "true" }, SHAPES[modality]), ` ${feature.name} `, make("small", {}, feature.activation.toFixed(1)));
}

function renderChips(modality, chips) {
  const features = (modality === "language" ? props.in_caption : state.parts[modality]) ?? [];
  const named = features.filter((feature) => feature.named);
  const nameless = features.length - named.length;
  chips.replaceChildren(...named.map((feature) => featureChip(modality, feature)));
  if (nameless) chips.append(make("span", { class: "mm-lead-in" }, `${named.length ? "and " : ""}${nameless} without a name`));
  if (!features.length) chips.append(make("p", { class: "mm-empty" }, EMPTY[modality]));
}

// the picture as a whole, in place of the prompt's own image embedding
function wholeCard() {
  const out = make("output", { class: "mm-score" });
  const why = make("p", { class: "mm-empty" });
  const range = partSlider("whole", 1, "share of the whole picture", out);
  const title = make("button", {
    type: "button", class: "mm-badge mm-whole", title: "the whole picture alone", onclick: () => only("whole"),
  }, "the whole picture");
  cards.set("whole", () => {
    range.disabled = title.disabled = Boolean(props.no_whole);
    range.value = state.strengths.whole;
    out.textContent = (+range.value).toFixed(2);
    title.setAttribute("aria-pressed", pressed(isAlone("whole")));
    why.textContent = props.no_whole || "Its image embedding takes the place of the prompt's: features, and all else it shows.";
  });
  return make("section", { class: "mm-part", "aria-label": "the whole picture" },
    make("div", { class: "mm-part-head" }, title, range, out), why);
}

const isAlone = (part) => Object.entries(state.strengths).every(([other, strength]) => (strength > 0) === (other === part));

function card(modality) {
  const out = make("output", { class: "mm-score" });
  const chips = make("div", { class: "mm-chips" });
  const range = partSlider(modality, MOST, `strength of its ${modality} part`, out);
  const title = make("button", {
    type: "button", class: `mm-badge mm-${modality}`, title: "this part alone, at strength 1", onclick: () => only(modality),
  }, make("span", { "aria-hidden": "true" }, SHAPES[modality]), ` ${TITLES[modality]}`);
  cards.set(modality, () => {
    range.disabled = title.disabled = modality === "language" && !props.in_caption.length;
    range.value = state.strengths[modality];
    out.textContent = (+range.value).toFixed(2);
    title.setAttribute("aria-pressed", pressed(isAlone(modality)));
    renderChips(modality, chips);
  });
  return make("section", { class: "mm-part", "data-modality": modality, "aria-label": `its ${modality} part` },
    make("div", { class: "mm-part-head" }, title, range, out), chips);
}

function render() {
  for (const show of cards.values()) show();
}

const lead = "Its strongest features, in activation scales. A slider adds a whole part to the prompt; "
  + "a click adds one feature to the active ones.";
element.querySelector(".mm-parts").replaceChildren(
  make("p", { class: "mm-lead-in" }, lead), ...Object.keys(TITLES).map(card), wholeCard(), note);

function newPicture() {
  state.parts = structuredClone(props.in_picture);
  note.hidden = true;
  render();
  changed();
}

watch("in_picture", newPicture);
watch("in_caption", render);
watch("no_whole", render);
if (props.in_picture.vision) newPicture();
else render();
