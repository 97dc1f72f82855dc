// The card of the chosen feature: pictures, captions, effect, score, facts, and other features to go to.
import { make } from "../../shared/scripts/dom.js";
import { badge, inkShape } from "../../shared/scripts/features.js";
import { choose } from "./choice.js";
import { effectPart } from "./effect.js";
import { facts, scale } from "./facts.js";
import { cards, chosenFeature, isInRack, redraw, state } from "./state.js";
import { paintTiles, tiles } from "./tiles.js";

const EXCLUSIVE = "Mutually exclusive features, suppressed as it is added";

export const card = make("article", { class: "mm-card", "aria-label": "the chosen feature" });

function confidence(f) {
  if (f.nameConfidence != null) return `name confidence ${f.nameConfidence.toFixed(2)}`;
  return f.named ? "named by a person" : "no certain name";
}

function goToRack() {
  [...document.querySelectorAll("#mm-tabs [role=tab]")].find((tab) => tab.textContent.trim() === "Steer")?.click();
}

function addButtons(f) {
  const isAdded = isInRack(f.id);
  const add = make("button", {
    type: "button", class: "mm-big", "data-key": "add", "data-mm-add": f.id, "data-mm-strength": 1,
  }, isAdded ? "✓ Active" : "Add to the picture");
  const go = isAdded ? make("button", { type: "button", class: "mm-link-to", "data-key": "go", onclick: goToRack }, "Steer with it") : null;
  const link = make("button", { type: "button", class: "mm-link-to", "data-key": "link", onclick: () => copyLink(f, link) }, "Copy link");
  return make("div", { class: "mm-card-add" }, add, go, link);
}

async function copyLink(f, button) {
  const page = props.home || location.origin + location.pathname;
  const link = `${page}?feature=${encodeURIComponent(f.name)}`;
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = "Copied";
  } catch { // no permission to use the clipboard, as in some frames
    button.textContent = link;
  }
}

function head(f) {
  const about = make("p", {}, badge(f), ` ${props.meanings[f.modality]} · `, make("span", { title: f.nameTooltip ?? "" }, confidence(f)));
  return make("div", { class: "mm-card-head" },
    make("div", {}, make("h2", { tabindex: -1, "data-key": "name" }, f.name), about),
    addButtons(f));
}

function evidence(f, details) {
  const captions = details ? make("ol", {}, ...details.captions.map((caption) => make("li", {}, caption))) : null;
  return make("div", { class: "mm-evidence" },
    make("div", {}, make("h3", {}, "Top pictures"),
      tiles(f.id, 9, `the nine pictures on which ${f.name} fires most`),
      make("p", { class: "mm-soft mm-no-sheet" }, "This bank has no example pictures.")),
    make("div", {}, make("h3", {}, "Top captions"), captions));
}

function featureChips(title, entries, empty) {
  const go = (id) => {
    choose(id, true);
    card.querySelector("h2").focus({ preventScroll: true });
  };
  const chips = entries.map(([id, tooltip]) => {
    const f = state.byId.get(id);
    const mark = inkShape(f.modality);
    return make("button", { type: "button", class: "mm-chip", title: tooltip, onclick: () => go(id) }, mark, ` ${f.name}`);
  });
  const shown = chips.length ? chips : [make("span", { class: "mm-soft" }, empty)];
  return make("div", { class: "mm-card-part" }, make("h3", {}, title), make("div", { class: "mm-chips" }, ...shown));
}

function relations(details) {
  const near = details.neighbours.map(([id, cosine]) => [id, `cosine ${cosine.toFixed(2)}`]);
  const exclusive = details.mutuallyExclusive.map((id) => [id, "never in one caption with it"]);
  return [featureChips("Nearest features", near, "none"), featureChips(EXCLUSIVE, exclusive, "none known")];
}

export function renderCard() {
  const f = chosenFeature();
  const details = cards.get(state.chosen);
  if (!f) return;
  const ends = make("div", { class: "mm-ends-of-scale" }, make("span", {}, "only captions"), make("span", {}, "only pictures"));
  redraw(card, () => card.replaceChildren(
    head(f),
    evidence(f, details),
    effectPart(f),
    make("div", { class: "mm-card-part" }, ends, scale(f), facts(f)),
    ...(details ? relations(details) : [])));
  paintTiles(card);
}
