// The pair of pictures that the tab Steer shows.

export const shownFigure = () => document.querySelector("#mm-pictures figure[data-query]");

export const shownQuery = () => shownFigure()?.dataset.query;

// A slider of the pair is moving: the picture follows (steer/scripts/live.js). `moved` is what has another value, {name: value}; null
// once it rests.
export const pairFollows = (moved) => window.dispatchEvent(new CustomEvent("mm-move", { detail: moved }));

// Call `react` whenever another pair may be shown.
export function onNewPair(react) {
  const options = { childList: true, subtree: true, attributes: true, attributeFilter: ["data-query"] };
  new MutationObserver(react).observe(document.body, options);
}
