// The tour: on the page, a line that describes a preset; in talk mode, one pair at a time on the whole screen.
// A pair is asked for as {step}, comes back as {step, before, after} or {step, error}, and stays in `pairs`.
import { make } from "../shared/scripts/dom.js";
import { badge } from "../shared/scripts/features.js";

const STEPS = props.steps;
const pairs = new Map(STEPS.flatMap(({ pair }, step) => (pair ? [[step, pair]] : []))); // at first, those drawn ahead
const place = element.querySelector(".mm-tour");
let stage = null; // the dialog of talk mode
let at = 0;
let asked = null; // the step on its way
let cut = 50; // percent, of the border
let pressedAt = null; // x of the pointer

const count = (step) => `${step + 1} of ${STEPS.length}`;

// one request at a time: the step shown, else the next one, so that the next step appears at once
function fetchNext() {
  const wanted = [at, at + 1].find((step) => step < STEPS.length && !pairs.has(step));
  if (!stage || asked != null || wanted == null) return;
  asked = wanted;
  props.value = { step: wanted };
  trigger("ask");
}

function moveBorder(value) {
  cut = Math.min(100, Math.max(0, value));
  const shown = stage.querySelector("figure");
  shown.classList.remove("mm-reveal");
  shown.style.setProperty("--cut", `${cut}%`);
  const range = shown.querySelector("input");
  if (range) range.value = cut;
}

function figure() {
  const pair = pairs.get(at);
  if (!pair?.after) return make("div", { class: "mm-compare mm-waiting" }, make("p", {}, pair?.error ?? "Drawing …"));
  return make("figure", { class: "mm-compare mm-reveal", style: "--cut:50%" },
    ...["before", "after"].map((which) => make("img", { class: `mm-${which}`, ...pair[which] })),
    make("span", { class: "mm-tag mm-tag-before", "aria-hidden": "true" }, "before"),
    make("span", { class: "mm-tag mm-tag-after", "aria-hidden": "true" }, "after"),
    make("span", { class: "mm-border", "aria-hidden": "true" }),
    make("input", {
      type: "range", min: 0, max: 100, value: 50, tabindex: -1,
      "aria-label": "Border between before and after, percent: up and down keys",
      oninput: (event) => moveBorder(+event.target.value),
    }));
}

const featureItem = (feature) => make("li", {}, make("span", { class: "mm-talk-name" }, `${feature.name} `), badge(feature));

const renderPair = () => stage.querySelector(".mm-talk-pair").replaceChildren(figure());

function render() {
  const step = STEPS[at];
  renderPair();
  stage.querySelector(".mm-talk-text").replaceChildren(
    make("p", { class: "mm-talk-count" }, count(at)),
    make("h2", {}, step.title),
    make("p", { class: "mm-talk-lesson" }, step.lesson),
    make("ul", { class: "mm-talk-features", "aria-label": "features added" }, ...step.features.map(featureItem)),
    make("p", { class: "mm-talk-prompt" }, `“${step.prompt}”`));
  stage.querySelectorAll(".mm-talk-dot").forEach((dot, k) => dot.setAttribute("aria-current", k === at ? "step" : "false"));
}

function go(step) {
  if (step < 0 || step >= STEPS.length) return;
  at = step;
  if (pairs.get(at)?.error) pairs.delete(at); // try again
  render();
  fetchNext();
}

const fillScreen = () => document.documentElement.requestFullscreen?.().catch(() => {}); // if not allowed, the window is filled

const KEYS = {
  ArrowRight: () => go(at + 1), PageDown: () => go(at + 1), " ": () => go(at + 1), Enter: () => go(at + 1),
  ArrowLeft: () => go(at - 1), PageUp: () => go(at - 1), Backspace: () => go(at - 1),
  ArrowUp: () => moveBorder(cut + 5), ArrowDown: () => moveBorder(cut - 5),
  Home: () => go(0), End: () => go(STEPS.length - 1),
  f: () => (document.fullscreenElement ? document.exitFullscreen() : fillScreen()),
};

function onkeydown(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if ([" ", "Enter"].includes(event.key) && event.target.tagName === "BUTTON") return;
  const act = KEYS[event.key] ?? (/^[1-9]$/.test(event.key) ? () => go(+event.key - 1) : null);
  if (!act) return;
  event.preventDefault();
  act();
}

// taps and swipes, not clicks: a browser makes no click of a tap that follows close on a swipe
function onpointerdown(event) {
  pressedAt = event.target.closest("button, figure") ? null : event.clientX;
}

function onpointerup(event) {
  if (pressedAt == null) return;
  const moved = event.clientX - pressedAt;
  pressedAt = null;
  if (Math.abs(moved) < 10) go(at + 1);
  else if (Math.abs(moved) > 40) go(at + (moved < 0 ? 1 : -1));
}

function leave() {
  if (!stage) return;
  document.removeEventListener("fullscreenchange", leaveWithFullScreen);
  if (document.fullscreenElement) document.exitFullscreen();
  stage.remove();
  stage = null;
  document.querySelector("#mm-pictures summary")?.focus();
}

// Escape leaves full screen and talk mode together
const leaveWithFullScreen = () => document.fullscreenElement || leave();

function button(label, text, onclick, more = {}) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick, ...more }, text);
}

function foot() {
  const dots = STEPS.map((step, k) => button(`${count(k)}: ${step.title}`, k + 1, () => go(k), { class: "mm-talk-dot" }));
  return make("div", { class: "mm-talk-foot" },
    make("nav", { "aria-label": "steps of the tour" },
      button("step back", "‹", () => go(at - 1)), ...dots, button("next step", "›", () => go(at + 1))),
    make("p", { class: "mm-talk-keys" },
      make("span", { class: "mm-by-key" }, "← → or a click: step · ↑ ↓: border · F: full screen · Esc: leave"),
      make("span", { class: "mm-by-hand" }, "swipe or tap beside the picture: step")));
}

function open() {
  asked = null;
  stage = make("dialog", {
    class: "mm-talk dark", "aria-label": `Talk mode: a tour in ${STEPS.length} steps`, tabindex: -1,
    onkeydown, onpointerdown, onpointerup, onclose: leave,
  },
    make("div", { class: "mm-talk-pair" }), make("div", { class: "mm-talk-text", role: "status" }), foot(),
    button("leave talk mode", "✕", leave, { class: "mm-talk-out" }));
  place.append(stage);
  stage.showModal();
  stage.focus();
  document.addEventListener("fullscreenchange", leaveWithFullScreen);
  fillScreen();
  go(at);
}

watch("value", () => {
  const { step, ...pair } = props.value;
  asked = null;
  pairs.set(step, pair);
  if (stage) stage.dataset.loaded = pairs.size;
  if (stage && step === at) renderPair(); // not the text: removing what is under a finger ends its swipe
  fetchNext();
});

const line = make("p", { class: "mm-try", "aria-live": "polite" });
place.replaceChildren(line);

document.addEventListener("click", (event) => {
  if (event.target.closest?.("#mm-talk-open")) return open();
  const preset = /^mm-preset-(\d+)$/.exec(event.target.closest?.("[id^=mm-preset-]")?.id ?? "");
  if (!preset) return;
  at = +preset[1];
  line.textContent = `${count(at)} · ${STEPS[at].lesson}`;
});
// what a preset shows is no longer said once it is changed
window.addEventListener("mm-rack", ({ detail }) => detail.changed && (line.textContent = ""));
if (new URLSearchParams(location.search).has("talk")) open();
