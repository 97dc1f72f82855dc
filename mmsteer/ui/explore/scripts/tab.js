// The tab Explore: a list, a histogram and a map of the same features, which filter one another, and the card of the chosen one.
// Features come from the server when the tab is first seen; from then on only pictures, cards and meanings are asked for.
import { inAddress } from "../../shared/scripts/address.js";
import { make, makeSvg } from "../../shared/scripts/dom.js";
import { LABELS, MODALITIES } from "../../shared/scripts/features.js";
import { card, renderCard } from "./card.js";
import { choose, refresh } from "./choice.js";
import { effectArrived } from "./effect.js";
import { chart } from "./histogram.js";
import { confidenceSelect, fillKinds, kinds, rateSelect } from "./kinds.js";
import { listSection, renderList } from "./list.js";
import { DOTS, board, renderMap } from "./map.js";
import { openList, pickButton, picks } from "./picks.js";
import { field, problem, ways } from "./search.js";
import { state } from "./state.js";

const INTRO = "Each dot is a feature that you can add to a picture or remove from it. Dots that are close are alike. Choose one to see "
  + "what it is.";

function keyEntry(kind, modality, text) {
  const attributes = { width: 14, height: 14, viewBox: "-7 -7 14 14", class: kind, "aria-hidden": "true" };
  return make("li", {}, makeSvg("svg", attributes, makeSvg("path", { d: DOTS[modality] })), make("span", {}, text));
}

function rulesLegend() {
  const { absolute, paper } = props.rules;
  const cuts = (pair) => pair.map((at) => at.toFixed(2)).join(" and ");
  return make("p", { class: "mm-soft" },
    make("i", { class: "mm-sample mm-cut-absolute" }), `absolute rule, ${cuts(absolute)}, read where both sides fire `,
    make("i", { class: "mm-sample mm-cut-paper" }), `the paper's, mean ± sd, ${cuts(paper)}`);
}

function mapSection() {
  return make("section", { class: "mm-sight", "aria-label": "map and histogram" },
    board,
    make("ul", { class: "mm-key", "aria-label": "shapes of the dots" },
      ...MODALITIES.map((modality) => keyEntry(`mm-ink-${modality}`, modality, LABELS[modality])),
      keyEntry("mm-nameless", "vision", "no certain name")),
    chart,
    make("div", { class: "mm-ends-of-scale" },
      make("span", {}, "0: only captions"), make("span", {}, "Modality Dominance Score"), make("span", {}, "1: only pictures")),
    rulesLegend());
}

async function begin() {
  state.features = (await server.features()) ?? [];
  state.byId = new Map(state.features.map((f) => [f.id, f]));
  const linked = state.features.find((f) => f.name === inAddress("feature"));
  if (linked) await choose(linked.id);
  openList();
  confidenceSelect.selectedIndex = state.confidence;
  fillKinds();
  refresh();
  const places = await server.layout();
  if (Array.isArray(places)) state.places = new Map(places.map((at, k) => [state.features[k].id, at]));
  renderMap();
}

element.querySelector(".mm-explore").replaceChildren(
  make("p", { class: "mm-intro" }, INTRO),
  make("div", { class: "mm-tools" }, field, ways, kinds, confidenceSelect, rateSelect, pickButton),
  problem,
  picks,
  make("div", { class: "mm-three" }, listSection, mapSection(), card));
new ResizeObserver(renderMap).observe(board);
window.addEventListener("mm-add", () => setTimeout(() => {
  renderList();
  renderCard();
}));
window.addEventListener("mm-drawn", ({ detail }) => effectArrived(detail));
begin();
