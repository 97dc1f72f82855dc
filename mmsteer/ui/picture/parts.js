// A picture's parts, one card a modality: a strength, and the features it is made of, [{id, name, named, activation, told}].
// The server says which: `found` by modality, of the picture, and `said`, of its caption. The value is the browser's alone, so that
// no answer undoes a later move: {strengths: {modality: number}, parts: what was found}; the server checks every bit.
const make = window.mmMake, SHAPES = props.shapes, MOST = props.most, TITLES = props.titles, EMPTY = props.empty;
let state = structuredClone(props.value), resting;
const note = make("p", { class: "mm-note", role: "status", hidden: true }), cards = new Map();

// at once when a slider is let go, and after a short rest of arrow keys
function changed(now) {
  clearTimeout(resting);
  const tell = () => { props.value = structuredClone(state); trigger("release"); };
  if (now) tell();
  else resting = setTimeout(tell, 250);
}

function only(modality) {
  for (const other of cards.keys()) state.strengths[other] = other === modality ? 1 : 0;
  render();
  changed(true);
}

function chip(modality, feature) {
  const strength = feature.activation.toFixed(2);
  return make("button", {
    type: "button", class: `mm-chip mm-of-${modality}`, "data-mm-add": feature.id, "data-mm-strength": strength, title: `${feature.told}; click to put it into the rack`,
    onclick: () => { note.textContent = `${feature.name} is in the rack of the tab Steer, at ${strength}.`; note.hidden = false; },
  }, make("span", { "aria-hidden": "true" }, SHAPES[modality]), ` ${feature.name} `, make("small", {}, feature.activation.toFixed(1)));
}

function card(modality) {
  const out = make("output", { class: "mm-score" }), chips = make("div", { class: "mm-chips" });
  const range = make("input", {
    type: "range", min: 0, max: MOST, step: 0.05, "aria-label": `strength of its ${modality} part`,
    oninput: () => (out.textContent = (+range.value).toFixed(2)),
    onpointerup: () => set(true),
    onkeyup: (event) => /^(Arrow|Page|Home|End)/.test(event.key) && set(false),
  });
  const set = (now) => { state.strengths[modality] = +range.value; changed(now); };
  const title = make("button", { type: "button", class: `mm-badge mm-${modality}`, title: "this part alone, at strength 1", onclick: () => only(modality) },
    make("span", { "aria-hidden": "true" }, SHAPES[modality]), ` ${TITLES[modality]}`);
  const made = make("section", { class: "mm-part", "data-modality": modality, "aria-label": `its ${modality} part` }, make("div", { class: "mm-part-head" }, title, range, out), chips);
  cards.set(modality, () => {
    range.value = state.strengths[modality];
    out.textContent = (+range.value).toFixed(2);
    title.setAttribute("aria-pressed", String(Object.entries(state.strengths).every(([other, strength]) => (strength > 0) === (other === modality))));
    const features = (modality === "language" ? props.said : state.parts[modality]) ?? [], named = features.filter((feature) => feature.named), rest = features.length - named.length;
    chips.replaceChildren(...named.map((feature) => chip(modality, feature)));
    if (rest) chips.append(make("span", { class: "mm-lead-in" }, `${named.length ? "and " : ""}${rest} without a name`));
    if (!features.length) chips.append(make("p", { class: "mm-empty" }, EMPTY[modality]));
  });
  return made;
}

function render() {
  for (const show of cards.values()) show();
}

const lead = make("p", { class: "mm-lead-in" }, "Its strongest features, in units. A slider adds a whole part to the prompt; a click puts one feature into the rack.");
element.querySelector(".mm-parts").replaceChildren(lead, ...Object.keys(TITLES).map(card), note);
function take() {
  state.parts = structuredClone(props.found);
  note.hidden = true;
  render();
  changed(true);
}

watch("found", take);
watch("said", render);
if (props.found.vision) take();
else render();
