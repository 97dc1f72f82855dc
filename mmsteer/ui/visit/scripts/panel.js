// Compare and keep: the thumbnails of this visit, of which two are compared, and favourites. The history says which there are.
// The component's value is the question, {first, second}, then the answer with {differences} or {error}.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { shownQuery } from "../../shared/scripts/pair.js";
import { compareEntries, comparison, say } from "./comparison.js";
import { addFavourite, favourites, isKept, openFavourites, pictureOf, removeFavourite, saveFavourites } from "./favourites.js";

const section = element.querySelector(".mm-visit");
const status = make("span", { class: "mm-panel-status", role: "status" });
const shelf = make("div", { class: "mm-shelf", role: "group", "aria-label": "pictures of this visit: choose two" });
const stars = make("div", { class: "mm-shelf", role: "group", "aria-label": "favourites" });
const input = make("input", {
  type: "file", accept: ".json", hidden: true, "aria-label": "a list of favourites",
  onchange: async () => {
    const [file] = input.files;
    if (!file) return;
    const sentence = await openFavourites(file);
    input.value = "";
    render(sentence);
  },
});
let entries = []; // of the visit, newest first: {query, picture, title}
let hasFavourites = false; // as the history knows it
let picked = []; // queries of the two that are compared

const byQuery = (query) => entries.find((entry) => entry.query === query);

function pick(query) {
  picked = picked.includes(query) ? picked.filter((other) => other !== query) : [...picked, query].slice(-2);
  render();
  compare();
}

function compare() {
  const two = picked.map(byQuery).filter(Boolean);
  compareEntries(two);
  if (two.length < 2) return;
  say({ differences: ["…"] });
  props.value = { first: two[0].query, second: two[1].query };
  trigger("differ");
}

async function star({ query, ...entry }) {
  if (isKept(query)) removeFavourite(query);
  else render(await addFavourite({ query, ...entry }));
  render();
}

function thumbnail(entry, k, list) {
  const place = picked.indexOf(entry.query);
  const is = place < 0 ? "" : "AB"[place];
  const isStar = isKept(entry.query, list);
  return make("div", { class: "mm-shelved" },
    make("button", {
      type: "button", class: "mm-thumb", title: entry.title, "aria-pressed": pressed(is), "data-pick": k,
      "aria-label": `${is ? `${is}: ` : ""}compare ${entry.title}`, onclick: () => pick(entry.query),
    }, make("img", { src: entry.picture, alt: "" }), is ? make("b", { "aria-hidden": "true" }, is) : null),
    make("button", {
      type: "button", class: "mm-mini mm-star", title: isStar ? "no favourite any more" : "keep as a favourite", "data-star": k,
      "aria-label": `keep ${entry.title}`, "aria-pressed": pressed(isStar), onclick: () => star(entry),
    }, isStar ? "★" : "☆"));
}

function favourite({ query, title }, k) {
  const picture = byQuery(query)?.picture ?? pictureOf(query);
  const remove = () => {
    removeFavourite(query);
    render();
  };
  return make("div", { class: "mm-shelved" },
    make("button", {
      type: "button", class: "mm-thumb", title, "aria-label": `show ${title}`, "data-favourite": k,
      onclick: () => window.dispatchEvent(new CustomEvent("mm-restore", { detail: query })),
    }, picture ? make("img", { src: picture, alt: "" }) : make("span", {}, title)),
    make("button", {
      type: "button", class: "mm-mini mm-star", title: "take it out", "aria-label": `take ${title} out`, onclick: remove,
    }, "✕"));
}

function focusAgain(label) {
  if (label) [...section.querySelectorAll("[data-pick], [data-star]")].find((one) => one.matches(label))?.focus({ preventScroll: true });
}

const focused = () => {
  const { pick: at, star: starred } = document.activeElement?.dataset ?? {};
  if (!section.contains(document.activeElement)) return null;
  return at !== undefined ? `[data-pick="${at}"]` : starred !== undefined ? `[data-star="${starred}"]` : null;
};

function announce() {
  const has = favourites().length > 0;
  if (has === hasFavourites) return;
  hasFavourites = has;
  window.dispatchEvent(new CustomEvent("mm-favourites", { detail: has }));
}

function render(sentence = null) {
  if (sentence !== null) status.textContent = sentence;
  announce();
  if (section.hidden) return;
  const label = focused();
  const list = favourites();
  shelf.replaceChildren(...entries.map((entry, k) => thumbnail(entry, k, list)));
  stars.replaceChildren(...list.map(favourite));
  starred.hidden = !list.length;
  save.disabled = !list.length;
  focusAgain(label);
}

function open(yes) {
  section.hidden = !yes;
  if (!yes) return;
  render("");
  compare();
  section.scrollIntoView({ block: "nearest" });
}

const save = chip("Save favourites", saveFavourites, { title: "all of them as one JSON file" });
const load = chip("Open favourites", () => input.click(), { title: "a JSON file that this page saved" });
const hint = make("span", { class: "mm-lead-in" }, "Choose two of this visit; ☆ keeps one in this browser.");
const close = chip("Close", () => open(false), { class: "mm-chip mm-close" });
const starred = make("div", {}, make("h3", {}, "Favourites"), stars);
section.replaceChildren(
  make("div", { class: "mm-panel-bar" }, make("h2", {}, "Compare and keep"), hint, status, close),
  shelf, comparison, starred,
  make("div", { class: "mm-chips" }, save, load, input));

window.addEventListener("mm-visit", ({ detail }) => {
  ({ entries, hasFavourites } = detail);
  picked = picked.filter(byQuery);
  render();
});
// with a picture, that one beside the one shown; else the one shown beside the one before it
window.addEventListener("mm-compare", ({ detail }) => {
  const shown = shownQuery();
  const other = detail ?? entries.find(({ query }) => query !== shown)?.query;
  picked = [other, shown].filter((query, k, all) => query && all.indexOf(query) === k);
  open(true);
});
watch("value", () => {
  const { first, second } = props.value ?? {};
  if ("differences" in (props.value ?? {}) || "error" in (props.value ?? {})) {
    if (first === picked[0] && second === picked[1]) say(props.value);
  }
});
announce();
