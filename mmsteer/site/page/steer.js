// The view Steer: a prompt, a feature and how strongly it acts.
import { chip, make, pressed } from "../../ui/shared/scripts/dom.js";
import { LABELS, MODALITIES, badge, inkShape, matches } from "../../ui/shared/scripts/features.js";
import { blink, figure, renderPicture } from "./picture.js";
import { DRAWN, PROMPTS, STRENGTHS, onShown, show, shown } from "./state.js";
import { showView } from "./views.js";

const STEP = STRENGTHS[1] - STRENGTHS[0];
const prompts = make("select", { id: "mm-prompt", onchange: () => show({ prompt: prompts.selectedIndex }) },
  ...PROMPTS.map((prompt) => make("option", {}, prompt)));
const strength = make("input", {
  type: "range", id: "mm-strength", min: STRENGTHS[0], max: STRENGTHS.at(-1), step: STEP,
  oninput: () => show({ strength: +strength.value }),
});
const value = make("output", { class: "mm-score", for: "mm-strength" });
const status = make("p", { class: "mm-status", role: "status" });
const name = make("span", { class: "mm-name", id: "mm-feature" });
const field = make("input", {
  type: "search", "aria-label": "search features", placeholder: "a word: night, light, frame …", maxlength: 200, oninput: renderFeatures,
});
const groups = make("div", { class: "mms-groups" });

const signed = (number) => `${number < 0 ? "−" : number > 0 ? "+" : ""}${Math.abs(number)}`;

function featureButton(f) {
  return make("button", {
    type: "button", class: `mm-chip mm-of-${f.modality}`, "data-id": f.id, "aria-pressed": pressed(f === shown.feature),
    title: f.scoreTooltip, onclick: () => show({ feature: f, strength: shown.strength || 1 }),
  }, inkShape(f.modality), ` ${f.name}`);
}

function renderFeatures() {
  const text = field.value.trim().toLowerCase();
  const fitting = DRAWN.filter((f) => matches(f, text));
  const group = (modality) => {
    const buttons = fitting.filter((f) => f.modality === modality).map(featureButton);
    return buttons.length ? [make("h2", {}, LABELS[modality]), make("div", { class: "mm-chips" }, ...buttons)] : [];
  };
  const found = MODALITIES.flatMap(group);
  groups.replaceChildren(...(found.length ? found : [make("p", { class: "mm-empty" }, `No feature fits “${field.value.trim()}”.`)]));
}

// past its usable range a feature takes a typical prompt where pictures break
const push = ({ usable: [low, high] }, at) => (at < low || at > high ? "strong" : "normal");

function render() {
  const { feature, prompt } = shown;
  prompts.selectedIndex = prompt;
  strength.value = shown.strength;
  value.textContent = signed(shown.strength);
  strength.setAttribute("aria-valuetext", signed(shown.strength));
  name.replaceChildren(feature.name, " ", badge(feature));
  status.textContent = `${props.meanings[feature.modality]} · push: ${push(feature, shown.strength)}`;
  for (const button of groups.querySelectorAll("[data-id]")) {
    button.setAttribute("aria-pressed", pressed(+button.dataset.id === feature.id));
  }
  renderPicture();
}

const toCard = () => {
  window.dispatchEvent(new CustomEvent("mm-card", { detail: shown.feature.id }));
  showView("explore");
};

export function buildSteer(place) {
  const marks = make("div", { class: "mm-marks", "aria-hidden": "true" }, ...STRENGTHS.map((s, k) =>
    make("i", { style: `left:${(100 * k) / (STRENGTHS.length - 1)}%` }, signed(s))));
  place.append(
    make("div", { class: "mms-left" },
      make("div", { class: "mm-row" },
        make("label", { class: "mm-title", for: "mm-strength" }, name, value),
        make("div", { class: "mm-track" }, strength, marks)),
      make("label", { class: "mms-ask", for: "mm-prompt" }, "Prompt", prompts),
      make("div", { class: "mm-tools" }, field), groups),
    make("div", { class: "mms-right" }, figure, status,
      make("div", { class: "mm-chips" }, blink, chip("What is this feature?", toCard, { id: "mm-to-card" }))));
  renderFeatures();
  onShown(render);
  render();
}
