// The rack: rows of features with their sliders, and the search that fills it. Runs in the component's own element.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { MODALITIES, shape } from "../../shared/scripts/features.js";
import { add, changed, publish, put, rack, replaceAll, zero } from "./rows.js";
import { offers, renderFilters, renderOffers } from "./offers.js";
import { rowElement } from "./row.js";
import { surprise } from "./surprise.js";

const list = make("ol", { class: "mm-rows", "aria-label": "features in the rack" });
const masters = make("div", { class: "mm-masters", role: "group", "aria-label": "silence a modality" });

function master(modality) {
  const isSilent = rack.silent.includes(modality);
  const toggle = () => {
    rack.silent = isSilent ? rack.silent.filter((other) => other !== modality) : [...rack.silent, modality];
    render();
    changed();
  };
  return make("button", {
    type: "button", class: `mm-chip mm-of-${modality}`, "aria-pressed": pressed(!isSilent),
    "aria-label": `${modality} features on`, onclick: toggle,
  }, shape(modality), ` ${modality}${isSilent ? " silent" : ""}`);
}

export function render() {
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const empty = [make("li", { class: "mm-empty" }, "No feature yet: pick one below.")];
  list.replaceChildren(...(rack.rows.length ? rack.rows.map(rowElement) : empty));
  masters.replaceChildren(...MODALITIES.map(master));
  renderFilters();
  renderOffers();
  publish(false);
  if (focused) [...element.querySelectorAll("[aria-label]")].find((other) => other.getAttribute("aria-label") === focused)?.focus();
}

element.querySelector(".mm-rack").replaceChildren(
  make("div", { class: "mm-bar" }, masters,
    chip("✦ Surprise me", surprise, { id: "mm-surprise" }),
    chip("Zero", zero, { id: "mm-reset", title: "all sliders to zero" })),
  list, ...offers);
watch("value", replaceAll); // another rack, for which a pair is drawn
watch("breaks", render); // these two are
watch("phases", render); // known once the model has loaded, perhaps after a row was opened
watch("words", render);
window.addEventListener("mm-add", (event) => add(event.detail.id, event.detail.strength));
window.addEventListener("mm-set", (event) => put(event.detail));
render();
