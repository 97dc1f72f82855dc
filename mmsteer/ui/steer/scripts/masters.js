// One switch a modality for all its features, among the options of the page.
import { make, pressed } from "../../shared/scripts/dom.js";
import { LABELS, MODALITIES, shape } from "../../shared/scripts/features.js";
import { changed, rack } from "./rows.js";
import { render } from "./rack.js";

function master(modality) {
  const isSilent = rack.silent.includes(modality);
  const toggle = () => {
    rack.silent = isSilent ? rack.silent.filter((other) => other !== modality) : [...rack.silent, modality];
    render();
    changed();
  };
  return make("button", {
    type: "button", class: `mm-chip mm-of-${modality}`, "aria-pressed": pressed(!isSilent),
    "aria-label": `features that are ${LABELS[modality]}`, onclick: toggle,
  }, shape(modality), ` ${LABELS[modality]}`);
}

export function renderMasters() {
  document.querySelector("#mm-masters")?.replaceChildren(...MODALITIES.map(master));
}
