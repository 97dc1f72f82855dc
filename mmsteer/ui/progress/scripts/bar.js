// The bar over the pictures while a pair is drawn: about how long it takes, how far it is, and a button that stops it. It shows once
// drawing takes longer than a moment (progress.css).
import { make } from "../../shared/scripts/dom.js";
import { cover } from "./cover.js";
import { about } from "./seconds.js";

const SHOWN = 2500; // milliseconds that "Stopped." stays

const said = make("span", { role: "status" });
const left = make("span", { class: "mm-left", "aria-hidden": "true" });
const meter = make("progress", { max: 1, value: 0, "aria-label": "how much of the pictures is drawn" });
const halt = make("button", {
  type: "button", class: "mm-chip", id: "mm-stop", title: "stop drawing, keep the picture that is there",
}, "Stop");
const bar = element.querySelector(".mm-drawing");
const trio = () => document.querySelector("#mm-trio");
let forget;

export function showBar(stop) {
  halt.addEventListener("click", () => {
    halt.disabled = true;
    said.textContent = "Stopping…";
    stop();
  });
  bar.replaceChildren(said, meter, left, halt);
}

export function report({ fraction, left: rest, which, preview }) {
  if (!trio().hasAttribute("data-drawing")) {
    said.textContent = rest ? `Drawing… about ${about(rest)}` : "Drawing…";
    trio().setAttribute("data-drawing", "");
  }
  clearTimeout(forget);
  meter.value = fraction;
  left.textContent = fraction ? `Drawing… ${about(rest)} left` : "";
  if (preview) cover(which, { src: preview }, true);
}

export function ended(isStopped) {
  trio().removeAttribute("data-drawing");
  halt.disabled = false;
  meter.value = 0;
  left.textContent = "";
  said.textContent = isStopped ? "Stopped." : "";
  bar.toggleAttribute("data-ended", Boolean(isStopped));
  clearTimeout(forget);
  if (isStopped) forget = setTimeout(() => ended(false), SHOWN);
}
