// A list of features: picked in the list, shared as a link, `?features=night,white frame`, put among the active features at once.
import { inAddress, putIntoAddress } from "../../shared/scripts/address.js";
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { copyLink, pageLink } from "../../shared/scripts/link.js";
import { refresh } from "./choice.js";
import { state } from "./state.js";

const KEY = "features";
const ALL = "put all of them among the active features";
const INTO_RACK = { class: "mm-chip mm-into-rack" };
const unknown = [];

export const pickButton = chip("Pick several", togglePicking, {
  id: "mm-pick", "aria-pressed": "false", title: "make a list of features, to share it or to try all of them",
});
export const picks = make("section", { class: "mm-picked", "aria-label": "picked features", hidden: true });

// a comma parts names: a feature with one in its name goes by its number
const reference = (f) => (f.name.includes(",") ? String(f.id) : f.name);

const picked = () => [...state.picked].map((id) => state.byId.get(id));

const link = () => pageLink(new URLSearchParams({ [KEY]: picked().map(reference).join(",") }));

export function box(f) {
  const flip = ({ target }) => {
    if (target.checked) state.picked.add(f.id);
    else state.picked.delete(f.id);
    if (state.onlyPicked) refresh();
    renderPicks();
  };
  return make("input", {
    type: "checkbox", checked: state.picked.has(f.id), "aria-label": `pick ${f.name}`, "data-key": `pick ${f.id}`, onchange: flip,
  });
}

function togglePicking() {
  state.picking = !state.picking;
  if (!state.picking) showOnly(false);
  renderPicks();
  refresh();
}

function showOnly(yes) {
  state.onlyPicked = yes;
  putIntoAddress(KEY, yes ? picked().map(reference).join(",") : null);
}

function put(strength) {
  window.dispatchEvent(new CustomEvent("mm-set", { detail: [...state.picked].map((id) => ({ id, strength })) }));
  refresh();
}

export function renderPicks() {
  const count = state.picked.size;
  const flipOnly = () => {
    showOnly(!state.onlyPicked);
    renderPicks();
    refresh();
  };
  pickButton.setAttribute("aria-pressed", pressed(state.picking));
  picks.hidden = !state.picking;
  const buttons = [
    chip("Try them", () => put(1), { ...INTO_RACK, title: `${ALL}, each as strong as usual` }),
    chip("Add them at 0", () => put(0), { ...INTO_RACK, title: `${ALL}, with their sliders at zero` }),
    chip(state.onlyPicked ? "Show all features" : "Show only these", flipOnly),
  ];
  const copy = chip("Copy link", () => copyLink(copy, link()), { title: "a link that opens this list" });
  picks.replaceChildren(
    make("span", { role: "status" }, count ? `${count} picked: ${picked().map((f) => f.name).join(", ")}` : "Pick features in the list."),
    ...(count ? [...buttons, copy] : []),
    ...(unknown.length ? [make("span", { class: "mm-soft" }, `Not in this bank: ${unknown.join(", ")}.`)] : []));
}

// the list of the link with which a visitor comes
export function openList() {
  const text = inAddress(KEY);
  if (text === null) return;
  for (const part of text.slice(0, 2000).split(",").map((one) => one.trim()).filter(Boolean)) {
    const f = state.features.find(({ name }) => name.toLowerCase() === part.toLowerCase())
      ?? state.byId.get(/^\d+$/.test(part) ? +part : null);
    if (f) state.picked.add(f.id);
    else unknown.push(part);
  }
  state.picking = true;
  state.onlyPicked = state.picked.size > 0;
  state.confidence = 0; // a feature without a certain name may be among them
  renderPicks();
}
