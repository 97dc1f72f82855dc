// Thumbnails of this visit, newest first, and the link to the pair that is shown. Nothing leaves the browser.
import { chip, make } from "../../shared/scripts/dom.js";
import { onNewPair, shownFigure } from "../../shared/scripts/pair.js";

const MOST = 24;
const shelf = element.querySelector(".mm-history");
const entries = new Map();
let shown = "";

function link() {
  const page = props.home || location.origin + location.pathname;
  return `${page}?${shown}`;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(link());
    button.textContent = "Copied";
  } catch { // no permission to use the clipboard, as in some frames: show the link, to be copied by hand
    const field = make("input", { readonly: true, class: "mm-link", "aria-label": "link to this picture" });
    field.value = link();
    button.replaceWith(field);
    field.select();
    return;
  }
  setTimeout(() => (button.textContent = "Copy link"), 1500);
}

function thumbnail({ query, picture, title }) {
  const restore = () => {
    props.value = query;
    trigger("restore");
  };
  const attributes = { type: "button", class: "mm-thumb", title, "aria-label": `show again: ${title}`, onclick: restore };
  return make("button", attributes, make("img", { src: picture, alt: "" }));
}

function render() {
  const button = chip("Copy link", () => copy(button), { id: "mm-copy" });
  shelf.replaceChildren(button, ...[...entries.values()].map(thumbnail));
}

onNewPair(() => {
  const figure = shownFigure();
  if (!figure || figure.dataset.query === shown) return;
  const after = figure.querySelector(".mm-after");
  shown = figure.dataset.query;
  entries.delete(shown);
  const entry = { query: shown, picture: after.src, title: after.alt.replace(/^After: /, "") };
  const newest = [[shown, entry], ...entries].slice(0, MOST);
  entries.clear();
  for (const [key, value] of newest) entries.set(key, value);
  render();
});
