// The card of the chosen feature: pictures, captions, effect, score, facts, and other features to go to.
import { make } from "../../shared/scripts/dom.js";
import { badge, inkShape } from "../../shared/scripts/features.js";
import { copyLink, pageLink } from "../../shared/scripts/link.js";
import { choose } from "./choice.js";
import { effectPart } from "./effect.js";
import { facts, scale, why } from "./facts.js";
import { cards, chosenFeature, isInRack, redraw, state } from "./state.js";
import { paintTiles, tiles } from "./tiles.js";

const EXCLUSIVE = "Mutually exclusive features, suppressed as it is added";
const SHOWN = 12; // features of a list at once

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
  const link = make("button", {
    type: "button", class: "mm-link-to", "data-key": "link",
    onclick: () => copyLink(link, pageLink(new URLSearchParams({ feature: f.name }))),
  }, "Copy link");
  return make("div", { class: "mm-card-add" }, add, go, link);
}

function head(f) {
  const about = make("p", {}, badge(f), ` ${props.meanings[f.modality]} · `, make("span", { title: f.nameTooltip ?? "" }, confidence(f)));
  return make("div", { class: "mm-card-head" },
    make("div", {}, make("h2", { tabindex: -1, "data-key": "name" }, f.name), about),
    addButtons(f));
}

// how strongly it fires there, beside the strongest of its examples; 1 is as strong as usual
function firing(activation, strongest) {
  return make("small", { class: "mm-firing", title: `fires ${activation.toFixed(2)} times as strongly as usual` },
    make("i", { style: `--share:${Math.round((100 * activation) / strongest)}%`, "aria-hidden": "true" }), activation.toFixed(1));
}


// a side that never fires has no top examples: what stands there belongs to those of the other side
function evidence(f, details) {
  const { captions = [], pictureActivations = [], captionActivations = [] } = details ?? {};
  const strongest = Math.max(...pictureActivations, ...captionActivations, 1);
  const inPictures = f.rateImage > 0 ? pictureActivations.map((one) => firing(one, strongest)) : [];
  const inCaptions = f.rateText > 0 ? captionActivations.map((one) => firing(one, strongest)) : [];
  return make("div", { class: "mm-evidence" },
    make("div", {}, make("h3", {}, f.rateImage > 0 ? "Top pictures" : "Pictures of these captions"),
      tiles(f.id, 9, `the nine pictures ${f.rateImage > 0 ? `on which ${f.name} fires most` : "of these captions"}`, inPictures),
      make("p", { class: "mm-soft mm-no-sheet" }, "This bank has no example pictures.")),
    make("div", {}, make("h3", {}, f.rateText > 0 ? "Top captions" : "Captions of these pictures"),
      make("ol", {}, ...captions.map((caption, k) => make("li", {}, caption, inCaptions[k])))));
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
  const shown = chips.length ? chips.slice(0, SHOWN) : [make("span", { class: "mm-soft" }, empty)];
  const more = chips.length > SHOWN
    ? make("details", { class: "mm-more" }, make("summary", {}, `and ${chips.length - SHOWN} more`),
      make("div", { class: "mm-chips" }, ...chips.slice(SHOWN)))
    : null;
  return make("div", { class: "mm-card-part" }, make("h3", {}, title), make("div", { class: "mm-chips" }, ...shown), more);
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
    make("div", { class: "mm-card-part" }, ends, scale(f), why(f) && make("p", { class: "mm-why" }, why(f)), facts(f)),
    ...(details ? relations(details) : [])));
  paintTiles(card);
}
