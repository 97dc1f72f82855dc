// The rack: rows of features with their sliders, and the search that fills it. Runs in the component's own element.
// Its value is {rows: [{id, mode, strength, on, locked, words, start, end}], silent: [modality]}; the server checks every bit.
const FEATURES = new Map(props.catalogue.map((feature) => [feature.id, feature]));
const SHAPES = props.shapes, MOST = props.most, CHIPS = props.chips;
const STEP = 0.05, make = window.mmMake;
// scripts that put no spaces between words: there the browser's dictionaries say where one ends
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const SEGMENTS = new Intl.Segmenter(undefined, { granularity: "word" });
const MODES = {
  slide: "adds; left of zero takes out what the prompt has",
  add: "adds; left of zero pushes the other way",
  set: "holds it at this value, whatever the prompt has",
};
// a checkpoint that was not trained to be steered breaks pictures on a vision-only feature: there its slider is short
const risky = (feature) => props.breaks && feature.modality === "vision";
const usable = (feature) => (risky(feature) ? [-props.breaks.end, props.breaks.end] : feature.usable);
const within = (id, strength) => (risky(FEATURES.get(id)) ? Math.sign(strength) * Math.min(Math.abs(strength), props.breaks.start) : strength);
const fresh = (id, strength) => ({ id, mode: "slide", strength: within(id, strength), on: true, locked: false, words: [], start: 0, end: 1 });
let state = structuredClone(props.value), resting, open = new Set(), filter = "all", drawn = 0, last = null;

function badge(feature) {
  const shape = make("span", { "aria-hidden": "true" }, SHAPES[feature.modality]);
  const score = make("span", { class: "mm-score" }, feature.mds.toFixed(2));
  return make("span", { class: `mm-badge mm-${feature.modality}`, title: feature.told }, shape, ` ${feature.modality} `, score);
}

// Whoever else needs the rows, as the sweep panel does, reads mmRack and hears of every change.
function publish(changed) {
  window.mmRack = { rows: state.rows.map(({ id }) => ({ id, name: FEATURES.get(id).name })), last };
  window.dispatchEvent(new CustomEvent("mm-rack", { detail: { changed } }));
}

// Where a slider is on its way, for the picture to follow; nothing once it rests.
function moved(row = null) {
  const detail = row && { ...state, rows: state.rows.map((other) => (other.id === row.id ? row : other)) };
  window.dispatchEvent(new CustomEvent("mm-move", { detail: structuredClone(detail) }));
}

// The server hears of a change at once when a control is let go, and after a short rest of arrow keys or typing.
function changed(now = true, row = null) {
  last = row?.id ?? last;
  publish(true);
  clearTimeout(resting);
  const tell = () => {
    moved();
    props.value = structuredClone(state);
    trigger("release");
  };
  if (now) tell();
  else resting = setTimeout(tell, 250);
}

function promptWords() {
  const text = document.querySelector("#mm-prompt textarea, #mm-prompt input")?.value ?? "";
  const words = text.toLowerCase().split(/\s+/).map((word) => word.replace(/^[.,;:!?"'()-]+|[.,;:!?"'()-]+$/g, ""));
  const apart = (word) => (UNSPACED.test(word) ? [...SEGMENTS.segment(word)].filter((part) => part.isWordLike).map((part) => part.segment) : [word]);
  return [...new Set(words.flatMap(apart).filter(Boolean))];
}

function slider(row, feature) {
  // a little past where pictures get odd, that this may be seen
  const past = risky(feature) ? 1 : 1.25;
  const [low, high] = usable(feature).map((end) => Math.sign(end) * Math.min(props.strongest, STEP * Math.round(Math.abs(past * end) / STEP))), place = (value) => `${(100 * (value - low)) / (high - low)}%`;
  const set = (value, now) => {
    if (!Number.isFinite(value)) return;
    row.strength = +Math.min(high, Math.max(low, Math.round(value / STEP) * STEP)).toFixed(2); // 0.35, as a link says it
    range.value = number.value = +row.strength.toFixed(2);
    changed(now, row);
  };
  const keys = ["Arrow", "Page", "Home", "End"];
  const range = make("input", {
    type: "range", min: low, max: high, step: STEP, "aria-label": `strength of ${feature.name}`,
    oninput: () => {
      number.value = range.value;
      moved({ ...row, strength: +range.value });
    },
    onpointerup: () => set(+range.value, true),
    onpointercancel: () => set(+range.value, true), // a finger that scrolls on: what the slider shows is drawn
    onkeyup: (event) => keys.some((key) => event.key.startsWith(key)) && set(+range.value, false),
  });
  const number = make("input", {
    type: "number", min: low, max: high, step: STEP, "aria-label": `strength of ${feature.name}, as a number`,
    onchange: () => set(number.value === "" ? NaN : +number.value, true),
  });
  range.value = number.value = +row.strength.toFixed(2);
  const marks = make("span", { class: "mm-marks", "aria-hidden": "true" },
    make("i", { style: `left:${place(0)}` }, "0"),
    high < 1 ? null : make("i", { style: `left:${place(1)}` }, "1 unit"),
    ...(risky(feature) ? [] : feature.usable).map((end) => make("i", { class: "mm-odd", style: `left:${place(end)}`, title: `past ${end} pictures get odd` }, "odd")));
  return make("div", { class: "mm-strength" }, make("div", { class: "mm-track" }, range, marks), number);
}

function details(row, feature) {
  const words = promptWords();
  const chips = words.map((word) => make("button", {
    type: "button", class: "mm-chip", "aria-pressed": String(row.words.includes(word)),
    onclick: () => {
      row.words = row.words.includes(word) ? row.words.filter((other) => other !== word) : [...row.words, word];
      render();
      changed();
    },
  }, word));
  const ends = ["start", "end"].map((end) => {
    const told = make("output", {}, `${Math.round(100 * row[end])} %`);
    const range = make("input", {
      type: "range", min: 0, max: 100, step: 5, "aria-label": `${feature.name}: ${end === "start" ? "from" : "to"}, percent of the run`,
      oninput: () => (told.textContent = `${range.value} %`),
      onchange: () => {
        row[end] = +range.value / 100;
        if (row.start >= row.end) [row.start, row.end] = end === "start" ? [Math.min(row.start, 0.95), Math.min(row.start, 0.95) + 0.05] : [Math.max(row.end, 0.05) - 0.05, Math.max(row.end, 0.05)];
        render();
        changed(false);
      },
    });
    range.value = Math.round(100 * row[end]);
    return make("label", { class: "mm-end" }, end === "start" ? "from" : "to", range, told);
  });
  const modes = make("select", {
    "aria-label": `what the slider of ${feature.name} does`,
    onchange: () => { row.mode = modes.value; changed(); },
  }, ...Object.entries(MODES).map(([mode, told]) => make("option", { value: mode, selected: row.mode === mode }, told)));
  return make("div", { class: "mm-details" },
    make("label", { class: "mm-words" }, "the slider", modes),
    make("div", { class: "mm-words", role: "group", "aria-label": `words that ${feature.name} applies to` },
      make("span", {}, row.words.length ? "on" : "on all words, or pick:"), ...chips),
    // some backbones read the prompt once for the whole run; what a link has set all the same can be put right
    props.phases || row.start > 0 || row.end < 1
      ? make("div", { class: "mm-ends" }, make("span", {}, "part of the run"), ...ends) : null);
}

function line(row) {
  const feature = FEATURES.get(row.id), silent = state.silent.includes(feature.modality);
  const toggle = (key, label, text) => make("button", {
    type: "button", class: `mm-mini mm-${key}`, "aria-pressed": String(Boolean(row[key])), "aria-label": `${feature.name}: ${label}`, title: label,
    onclick: () => { row[key] = !row[key]; render(); if (key === "on") changed(); else props.value = structuredClone(state); },
  }, text);
  const isOpen = open.has(row.id);
  return make("li", { class: `mm-row${row.on && !silent ? "" : " mm-off"}`, "data-id": row.id },
    make("div", { class: "mm-title" },
      toggle("on", "on or off, keeping its value", row.on ? "●" : "○"),
      make("span", { class: "mm-name" }, feature.name, feature.sure == null ? null : make("small", { title: feature.sureTold }, `name ${feature.sure.toFixed(2)}`)),
      badge(feature),
      risky(feature) ? make("span", { class: "mm-risky", title: props.breaks.told }, "⚠ untrained") : null,
      toggle("locked", "keep it when surprised", row.locked ? "⚿" : "⚬"),
      make("button", {
        type: "button", class: "mm-mini", "aria-expanded": String(isOpen), "aria-label": `${feature.name}: words and part of the run`, title: "words and part of the run",
        onclick: () => { isOpen ? open.delete(row.id) : open.add(row.id); render(); },
      }, "⋯"),
      make("button", {
        type: "button", class: "mm-mini mm-out", "aria-label": `take ${feature.name} out`, title: "take it out",
        onclick: () => { state.rows = state.rows.filter((other) => other !== row); render(); changed(); },
      }, "✕")),
    slider(row, feature),
    isOpen ? details(row, feature) : null);
}

function add(id, strength = 1) {
  if (!FEATURES.has(id) || state.rows.some((row) => row.id === id) || state.rows.length >= MOST) return;
  state.rows = [...state.rows, fresh(id, strength)];
  render();
  changed(true, state.rows.at(-1));
}

// strengths from elsewhere on the page, as a list of {id, strength}: the rows are there, on, and nothing else of them changes
function put(strengths) {
  for (const { id, strength } of strengths) {
    const row = state.rows.find((other) => other.id === id);
    if (row) Object.assign(row, { strength, on: true });
    else add(id, strength);
  }
  render();
  changed();
}

// numbers from a seed (mulberry32), so that a surprise can be told to somebody else
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function surprise() {
  const seed = +(document.querySelector("#mm-seed input")?.value ?? 0), next = chance(seed * 1000 + ++drawn);
  const kept = state.rows.filter((row) => row.locked), named = props.catalogue.filter((f) => f.telling && !kept.some((row) => row.id === f.id));
  const picked = ["cross", "vision", "cross"].map((modality) => {
    const group = named.filter((f) => f.modality === modality);
    return group[Math.floor(next() * group.length)];
  });
  const chosen = [...new Set(picked.filter(Boolean))].slice(0, Math.max(0, MOST - kept.length));
  state.rows = [...kept, ...chosen.map((f) => fresh(f.id, Math.round(20 * (0.6 + 0.7 * next())) / 20))];
  render();
  changed();
}

function found() {
  const wanted = search.value.trim().toLowerCase(), taken = new Set(state.rows.map((row) => row.id));
  const fits = props.catalogue.filter((f) => f.named && !taken.has(f.id) && (filter === "all" || f.modality === filter)
    && (f.name.toLowerCase().includes(wanted) || f.words.some((word) => word.includes(wanted))));
  const rank = (f) => (f.name.toLowerCase().startsWith(wanted) ? 0 : f.name.toLowerCase().includes(wanted) ? 1 : 2);
  let shown = fits.sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  if (!wanted && filter === "all") { // a first look: some of each modality in turn
    const groups = Object.keys(SHAPES).map((modality) => shown.filter((f) => f.telling && f.modality === modality));
    shown = shown.flatMap((_, k) => groups.map((group) => group[k])).filter(Boolean);
  }
  chips.replaceChildren(...shown.slice(0, CHIPS).map((f) => make("button", { type: "button", class: `mm-chip mm-of-${f.modality}`, title: f.told, onclick: () => add(f.id) },
    make("span", { "aria-hidden": "true" }, SHAPES[f.modality]), ` ${f.name}`)));
  if (!shown.length) chips.replaceChildren(make("p", { class: "mm-empty" }, `No feature is called ${search.value.trim()}. Try another word.`));
}

const list = make("ol", { class: "mm-rows", "aria-label": "features in the rack" });
const masters = make("div", { class: "mm-masters", role: "group", "aria-label": "silence a modality" });
const search = make("input", { type: "search", placeholder: "penguin, night, light, please …", "aria-label": "find a feature", oninput: found });
const filters = make("div", { class: "mm-filters", role: "group", "aria-label": "show features of" });
const chips = make("div", { class: "mm-chips" });

function render() {
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  list.replaceChildren(...(state.rows.length ? state.rows.map(line) : [make("li", { class: "mm-empty" }, "No feature yet: pick one below.")]));
  masters.replaceChildren(...Object.keys(SHAPES).map((modality) => make("button", {
    type: "button", class: `mm-chip mm-of-${modality}`, "aria-pressed": String(!state.silent.includes(modality)), "aria-label": `${modality} features on`,
    onclick: () => {
      state.silent = state.silent.includes(modality) ? state.silent.filter((other) => other !== modality) : [...state.silent, modality];
      render();
      changed();
    },
  }, make("span", { "aria-hidden": "true" }, SHAPES[modality]), state.silent.includes(modality) ? ` ${modality} silent` : ` ${modality}`)));
  filters.replaceChildren(...["all", ...Object.keys(SHAPES)].map((name) => make("button", {
    type: "button", class: "mm-chip", "aria-pressed": String(filter === name), onclick: () => { filter = name; render(); },
  }, name)));
  found();
  publish(false);
  if (focused) [...element.querySelectorAll("[aria-label]")].find((other) => other.getAttribute("aria-label") === focused)?.focus();
}

element.querySelector(".mm-rack").replaceChildren(
  make("div", { class: "mm-bar" }, masters,
    make("button", { type: "button", class: "mm-chip", id: "mm-surprise", onclick: surprise }, "✦ Surprise me"),
    make("button", { type: "button", class: "mm-chip", id: "mm-reset", title: "all sliders to zero", onclick: () => { for (const row of state.rows) row.strength = 0; render(); changed(); } }, "Zero")),
  list,
  make("div", { class: "mm-find" }, search, filters), chips);
watch("value", () => { // another rack, for which a pair is drawn
  clearTimeout(resting);
  moved();
  state = structuredClone(props.value);
  render();
});
watch("breaks", render); // as phases:
watch("phases", render); // known once the model is loaded, perhaps after a row was opened
window.addEventListener("mm-add", (event) => add(event.detail.id, event.detail.strength));
window.addEventListener("mm-set", (event) => put(event.detail));
render();
