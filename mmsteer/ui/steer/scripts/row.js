// One row of the rack: a feature, its buttons, its slider and, when opened, its details.
import { make, pressed } from "../../shared/scripts/dom.js";
import { badge } from "../../shared/scripts/features.js";
import { FEATURES, changed, isRisky, rack, remove, store } from "./rows.js";
import { details } from "./details.js";
import { render } from "./rack.js";
import { slider } from "./slider.js";

const opened = new Set();

function small(text, kind, label, title, onclick, attributes = {}) {
  return make("button", { type: "button", class: `mm-mini ${kind}`.trim(), "aria-label": label, title, onclick, ...attributes }, text);
}

function toggle(row, feature, key, title, text) {
  const flip = () => {
    row[key] = !row[key];
    render();
    if (key === "on") changed();
    else store();
  };
  return small(text, `mm-${key}`, `${feature.name}: ${title}`, title, flip, { "aria-pressed": pressed(row[key]) });
}

function openButton(row, feature) {
  const isOpen = opened.has(row.id);
  const flip = () => {
    if (isOpen) opened.delete(row.id);
    else opened.add(row.id);
    render();
  };
  const title = "words and part of the run";
  return small("⋯", "", `${feature.name}: ${title}`, title, flip, { "aria-expanded": String(isOpen) });
}

function title(row, feature) {
  const confidence = feature.nameConfidence == null ? null
    : make("small", { title: feature.nameTooltip }, `name ${feature.nameConfidence.toFixed(2)}`);
  return make("div", { class: "mm-title" },
    toggle(row, feature, "on", "on or off, keeping its value", row.on ? "●" : "○"),
    make("span", { class: "mm-name" }, feature.name, confidence),
    badge(feature),
    isRisky(feature) ? make("span", { class: "mm-risky", title: props.breaks.note }, "⚠ untrained") : null,
    toggle(row, feature, "locked", "keep it when surprised", row.locked ? "⚿" : "⚬"),
    openButton(row, feature),
    small("✕", "mm-out", `take ${feature.name} out`, "take it out", () => remove(row)));
}

export function rowElement(row) {
  const feature = FEATURES.get(row.id);
  const acts = row.on && !rack.silent.includes(feature.modality);
  return make("li", { class: `mm-row${acts ? "" : " mm-off"}`, "data-id": row.id },
    title(row, feature),
    slider(row, feature),
    opened.has(row.id) ? details(row, feature) : null);
}
