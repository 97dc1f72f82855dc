// The chosen feature, and everything that is drawn again when it or a filter changes.
import { putIntoAddress } from "../../shared/scripts/address.js";
import { card, renderCard } from "./card.js";
import { fits, ranked } from "./filter.js";
import { renderHistogram } from "./histogram.js";
import { markChosen, renderList } from "./list.js";
import { hover, renderMap } from "./map.js";
import { renderKinds } from "./kinds.js";
import { renderWays } from "./search.js";
import { REDUCED_MOTION, cards, chosenFeature, effects, state } from "./state.js";
import { fetchSheets } from "./tiles.js";

const NARROW = 1000; // pixels, of a window that shows the card below list and map

function scrollToCard() {
  if (innerWidth >= NARROW || card.getBoundingClientRect().top <= innerHeight * 0.6) return;
  card.scrollIntoView({ behavior: REDUCED_MOTION.matches ? "auto" : "smooth" });
}

export async function choose(id, byHand = false) {
  state.chosen = id;
  hover(null);
  markChosen();
  renderMap();
  renderCard();
  if (byHand) {
    putIntoAddress("feature", chosenFeature().name);
    scrollToCard();
  }
  fetchSheets([id]);
  if (!cards.has(id)) {
    const answer = await server.card(id);
    if (!answer || answer.error) return;
    cards.set(id, answer);
    if (answer.columns.length) effects.set(id, { columns: answer.columns });
  }
  if (state.chosen === id) {
    renderMap();
    renderCard();
  }
}

export function refresh() {
  state.pages = 1;
  renderWays();
  renderKinds();
  renderList();
  renderHistogram();
  const first = ranked()[0];
  const chosen = chosenFeature();
  if (first && !(chosen && fits(chosen))) choose(first.id); // the card shows a feature that fits
  else renderMap();
}
