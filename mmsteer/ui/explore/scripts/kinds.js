// Filters: modality, certainty of the name, and how often a feature fires.
import { make, pressed } from "../../shared/scripts/dom.js";
import { LABELS, MODALITIES, shape } from "../../shared/scripts/features.js";
import { refresh } from "./choice.js";
import { CONFIDENCES, RATES } from "./filter.js";
import { state } from "./state.js";

export const kinds = make("div", { class: "mm-filters", role: "group", "aria-label": "modality" });
export const confidenceSelect = select("name confidence", CONFIDENCES, "confidence");
export const rateSelect = select("how often it fires", RATES, "rate");

function select(label, choices, key) {
  const onchange = ({ target }) => {
    state[key] = target.selectedIndex;
    refresh();
  };
  const options = choices.map(([text], k) => make("option", { selected: k === state[key] }, text));
  return make("select", { "aria-label": label, onchange }, ...options);
}

function kindButton(modality) {
  const choose = () => {
    state.modality = modality;
    refresh();
  };
  const count = state.features.filter((f) => f.modality === modality).length;
  const content = modality === "all" ? ["all"] : [shape(modality), ` ${LABELS[modality]} ${count}`];
  return make("button", {
    type: "button", class: `mm-chip mm-of-${modality}`, "data-is": modality,
    "aria-pressed": pressed(state.modality === modality), onclick: choose,
  }, ...content);
}

// once the features are there
export function fillKinds() {
  kinds.replaceChildren(...["all", ...MODALITIES].map(kindButton));
}

export function renderKinds() {
  for (const button of kinds.children) button.setAttribute("aria-pressed", pressed(state.modality === button.dataset.is));
}
