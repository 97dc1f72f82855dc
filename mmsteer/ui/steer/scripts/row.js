// One row of the rack: a feature, its slider and, when opened, its options.
import { make } from "../../shared/scripts/dom.js";
import { badge } from "../../shared/scripts/features.js";
import { FEATURES, isRisky, rack, remove } from "./rows.js";
import { details } from "./details.js";
import { render } from "./rack.js";
import { slider } from "./slider.js";

const opened = new Set();

function small(text, kind, label, title, onclick, attributes = {}) {
  return make("button", { type: "button", class: `mm-mini ${kind}`.trim(), "aria-label": label, title, onclick, ...attributes }, text);
}

function openButton(row, feature) {
  const isOpen = opened.has(row.id);
  const flip = () => {
    if (isOpen) opened.delete(row.id);
    else opened.add(row.id);
    render();
  };
  return small("⋯", "", `${feature.name}: options`, "options", flip, { "aria-expanded": String(isOpen) });
}

// a row that is closed still says what is set in its options
function settings(row) {
  const parts = [
    row.on ? "" : "off", row.locked ? "locked" : "", row.words.length ? `on: ${row.words.join(", ")}` : "",
    row.mode === "set" ? "sets" : "",
    row.start > 0 || row.end < 1 ? `${Math.round(100 * row.start)}–${Math.round(100 * row.end)} % of the steps` : "",
  ].filter(Boolean);
  return parts.length ? make("small", { class: "mm-settings" }, parts.join(" · ")) : null;
}

function title(row, feature) {
  return make("div", { class: "mm-title" },
    make("span", { class: "mm-name", title: feature.nameTooltip ?? "" }, feature.name, settings(row)),
    badge(feature),
    isRisky(feature) ? make("span", { class: "mm-risky", title: props.breaks.note }, "⚠ untrained") : null,
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
