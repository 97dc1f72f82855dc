// Thumbnails of this visit, newest first; undo and redo; the link to the pair that is shown, also as the page's address. Nothing
// leaves the browser.
import { chip, make } from "../../shared/scripts/dom.js";
import { copyLink, pageLink } from "../../shared/scripts/link.js";
import { onNewPair, shownFigure } from "../../shared/scripts/pair.js";

const MOST = 24;
const OF_THE_PAGE = ["tab", "talk", "feature", "features", "__theme"]; // keys of the address that are not a recipe's
const shelf = element.querySelector(".mm-history");
const entries = new Map();
const steps = []; // queries of the pairs in the order in which they were drawn
let at = -1; // the step that is shown
let going = null; // the step that undo or redo asks for
let shown = "";
let hasFavourites = false;
let left = history.state?.whole; // by a reload: a recipe that the address did not hold

const link = () => pageLink(shown);

function tooLong(button) {
  const save = make("a", { class: "mm-chip", download: "recipe.png", href: shownFigure().querySelector(".mm-after").src }, "Save as PNG");
  const why = `With its picture this recipe makes a link of ${link().length.toLocaleString("en")} characters, more than many `
    + "programs pass on: save it as a PNG, which carries it.";
  button.replaceWith(make("span", { class: "mm-note", role: "status" }, why, " ", save));
}

function copy(button) {
  if (link().length > props.longest) tooLong(button);
  else copyLink(button, link());
}

function restore(query) {
  props.value = query;
  trigger("restore");
}

function go(step) {
  if (step < 0 || step >= steps.length || step === at) return;
  going = step;
  restore(steps[step]);
}

function record() {
  if (going !== null && steps[going] === shown) {
    at = going;
  } else if (steps[at] !== shown) {
    steps.splice(at + 1, Infinity, shown);
    at = steps.length - 1;
  }
  going = null;
}

// Reload, and Back from another page, find the pair again. A visitor's own picture is too long for an address: it is left out there
// and kept in the browser, with the whole recipe.
function keepAddress() {
  const query = new URLSearchParams(shown);
  const state = query.has("start") ? { whole: shown } : null;
  query.delete("start");
  const address = new URLSearchParams(location.search);
  for (const key of OF_THE_PAGE) if (address.has(key)) query.set(key, address.get(key));
  history.replaceState(state, "", `?${query}`);
}

function thumbnail({ query, picture, title }) {
  const attributes = { type: "button", class: "mm-thumb", title, "aria-label": `show again: ${title}`, onclick: () => restore(query) };
  attributes.oncontextmenu = (event) => { // a long press or the other button of a mouse
    event.preventDefault();
    openComparison(query);
  };
  return make("button", attributes, make("img", { src: picture, alt: "" }));
}

// with the pair shown, or the pair shown with the one before it
const openComparison = (query = null) => window.dispatchEvent(new CustomEvent("mm-compare", { detail: query }));

function render() {
  const both = entries.size > 1 || hasFavourites
    ? chip("Compare, keep", () => openComparison(), {
      id: "mm-compare-open", title: "two pictures of this visit beside each other; favourites",
    })
    : null;
  const button = chip("Copy link", () => copy(button), { id: "mm-copy" });
  const back = at > 0 ? chip("↶ Undo", () => go(at - 1), { id: "mm-undo", title: "Ctrl+Z" }) : null;
  const forth = at < steps.length - 1 ? chip("↷ Redo", () => go(at + 1), { id: "mm-redo", title: "Ctrl+Shift+Z" }) : null;
  shelf.replaceChildren(...[back, forth, button, both, ...[...entries.values()].map(thumbnail)].filter(Boolean));
  window.dispatchEvent(new CustomEvent("mm-visit", { detail: { entries: [...entries.values()], hasFavourites } }));
}

window.addEventListener("mm-favourites", ({ detail }) => {
  hasFavourites = detail;
  render();
});
window.addEventListener("mm-restore", ({ detail }) => restore(detail));
onNewPair(() => {
  const figure = shownFigure();
  if (!figure || figure.dataset.query === shown) return;
  if (left) {
    restore(left);
    left = null;
    return;
  }
  const after = figure.querySelector(".mm-after");
  shown = figure.dataset.query;
  entries.delete(shown);
  const entry = { query: shown, picture: after.src, title: after.alt.replace(/^After: /, "") };
  const newest = [[shown, entry], ...entries].slice(0, MOST);
  entries.clear();
  for (const [key, value] of newest) entries.set(key, value);
  record();
  keepAddress();
  render();
});

// text fields have an undo of their own
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
  if (event.target.closest("textarea, input[type=text], input[type=search], input[type=number]")) return;
  event.preventDefault();
  go(at + (event.shiftKey ? 1 : -1));
});
