// The rack's value, {rows: [{id, mode, strength, on, locked, words, start, end}], silent: [modality]}, and what changes it.
// The server checks all of it.
import { pairFollows } from "../../shared/scripts/pair.js";
import { PAUSE } from "../../shared/scripts/range.js";
import { render } from "./rack.js";

export const MOST = props.most;

export const FEATURES = new Map(props.catalogue.map((feature) => [feature.id, feature]));
export const rack = taken(props.value);
let timer;
let lastChanged = null;

// Directions are no part of the catalogue: what is to know of them comes with the rows.
function taken(value) {
  const { directions, ...rest } = structuredClone(value);
  directions?.forEach(know);
  return rest;
}

export function know(feature) {
  FEATURES.set(feature.id, feature);
}

// A checkpoint that was not trained to be steered breaks pictures on a vision-only feature: there its slider is short.
let present = null; // ids of the features that the prompt contains, once a pair has said so

export const isRisky = (feature) => props.breaks && feature.modality === "vision";

export const usableRange = (feature) => (isRisky(feature) ? [-props.breaks.end, props.breaks.end] : feature.usable);

// What the prompt does not contain cannot be taken out of it: left of zero such a slider would do nothing. A vision-only feature,
// which no prompt contains, and a direction go the other way instead.
export const isOneWay = (row) => Boolean(present) && row.mode === "slide" && row.strength >= 0 && !present.has(row.id)
  && FEATURES.get(row.id).modality !== "vision" && !FEATURES.get(row.id).isDirection;

export function setPresent(ids) {
  present = new Set(ids);
  render();
}

export function newRow(id, strength) {
  const { start } = props.breaks ?? {};
  const first = isRisky(FEATURES.get(id)) ? Math.sign(strength) * Math.min(Math.abs(strength), start) : strength;
  return { id, mode: "slide", strength: first, on: true, locked: false, words: [], start: 0, end: 1 };
}

// Whoever else needs the rows, as the sweep panel does, reads mmRack and listens for changes.
export function publish(changed) {
  const published = (row) => ({ id: row.id, name: FEATURES.get(row.id).name, oneWay: isOneWay({ ...row, strength: 0 }) });
  window.mmRack = { rows: rack.rows.map(published), last: lastChanged };
  window.dispatchEvent(new CustomEvent("mm-rack", { detail: { changed } }));
}

// The row of a slider that is moving, for the picture to follow; nothing once it rests.
export function announceMove(row = null) {
  const moved = row && { rack: { ...rack, rows: rack.rows.map((other) => (other.id === row.id ? row : other)) } };
  pairFollows(structuredClone(moved));
}

export function store() {
  props.value = structuredClone(rack);
}

// The server learns of a change at once when a control is released, and after a pause of arrow keys or typing.
export function changed(now = true, row = null) {
  lastChanged = row?.id ?? lastChanged;
  publish(true);
  clearTimeout(timer);
  const release = () => {
    announceMove();
    store();
    trigger("release");
  };
  if (now) release();
  else timer = setTimeout(release, PAUSE);
}

export function replaceAll() {
  clearTimeout(timer);
  announceMove();
  Object.assign(rack, taken(props.value));
  render();
}

export function add(id, strength = 1) {
  if (!FEATURES.has(id) || rack.rows.some((row) => row.id === id) || rack.rows.length >= MOST) return;
  rack.rows = [...rack.rows, newRow(id, strength)];
  render();
  changed(true, rack.rows.at(-1));
}

export function remove(row) {
  rack.rows = rack.rows.filter((other) => other !== row);
  render();
  changed();
}

// Strengths from elsewhere on the page, [{id, strength}]: the rows are there, on, and nothing else of them changes. What finds no
// room is left out.
export function put(strengths) {
  for (const { id, strength } of strengths) {
    const row = rack.rows.find((other) => other.id === id);
    if (row) Object.assign(row, { strength, on: true });
    else if (FEATURES.has(id) && rack.rows.length < MOST) rack.rows = [...rack.rows, newRow(id, strength)];
  }
  render();
  changed();
}

// Words that the prompt does not have, [{id, words}]: the pair that is shown was drawn without them.
export function forget(lost) {
  for (const { id, words } of lost) {
    const row = rack.rows.find((other) => other.id === id);
    if (row) row.words = row.words.filter((word) => !words.includes(word));
  }
  render();
  store();
}

export function zero() {
  for (const row of rack.rows) row.strength = 0;
  render();
  changed();
}
