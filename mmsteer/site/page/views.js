// The views of the page, one at a time.
import { make } from "../../ui/shared/scripts/dom.js";
import { inAddress, putIntoAddress } from "./address.js";
import { load } from "./server.js";

const VIEWS = { steer: "Steer", explore: "Explore", proof: "Proof" };
const view = (key) => document.querySelector(`#view-${key}`);

async function fillProof() {
  if (view("proof").childElementCount) return;
  if (props.proof) await load("proof.js");
  // written by mmsteer from its own studies
  view("proof").innerHTML = MMSTEER.proof ?? "<p class='mm-note'>The studies are about the embedded models and their bank.</p>";
}

export function showView(key) {
  for (const other of Object.keys(VIEWS)) view(other).hidden = other !== key;
  for (const button of document.querySelectorAll(".mms-bar nav button")) {
    button.setAttribute("aria-current", button.dataset.view === key ? "page" : "false");
  }
  putIntoAddress("tab", key);
  if (key === "proof") fillProof();
}

export function buildViews() {
  document.querySelector(".mms-bar nav").append(...Object.entries(VIEWS).map(([key, title]) =>
    make("button", { type: "button", class: "mm-chip", "data-view": key, onclick: () => showView(key) }, title)));
  const wanted = inAddress("tab");
  showView(wanted in VIEWS ? wanted : inAddress("features") === null ? "steer" : "explore");
}
