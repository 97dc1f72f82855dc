// What the tab knows: the features, what the server has answered so far, the filters, and the feature on the card.

export const state = {
  features: [],
  byId: new Map(),
  places: new Map(), // id -> [x, y] from 0 to 1
  similarity: null, // id -> cosine with the words searched by meaning; null when searching by word
  chosen: null, // id of the feature on the card
  pages: 1, // of the list
  by: "word", // how to search: word or meaning
  modality: "all",
  confidence: 1, // index of a choice
  rate: 0, // index of a choice
  bar: null, // of the histogram
  picked: new Set(), // ids of the features of a list, in its order
  picking: false, // whether the list of features has boxes to pick them
  onlyPicked: false, // whether nothing else is shown
};

export const cards = new Map(); // id -> what only its card shows
export const effects = new Map(); // id -> {columns, error, waiting}

export const REDUCED_MOTION = matchMedia("(prefers-reduced-motion: reduce)");

export const chosenFeature = () => state.byId.get(state.chosen);

export const isInRack = (id) => Boolean(document.querySelector(`#mm-rack .mm-row[data-id="${id}"]`));

export const signed = (strength) => `${strength < 0 ? "−" : "+"}${Math.abs(strength)}`;

// draw a part again and leave the keyboard where it was
export function redraw(scope, draw) {
  const key = scope.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  draw();
  if (key !== undefined) scope.querySelector(`[data-key="${key}"]`)?.focus({ preventScroll: true });
}
