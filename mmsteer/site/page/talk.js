// The tour on the whole screen. Its keys do what they do in the page's talk mode; those for which a model must draw are not there.
import { make, tag } from "../../ui/shared/scripts/dom.js";
import { badge } from "../../ui/shared/scripts/features.js";
import { blank, uncover } from "../../ui/talk/scripts/blank.js";
import { fillScreen, fullScreen, touches } from "../../ui/talk/scripts/screen.js";
import { inAddress } from "./address.js";
import { STRENGTHS } from "./state.js";
import { place } from "./strip.js";

const STEPS = props.tour;
let stage = null;
let at = 0;
let cutAt = 50; // percent

const count = (step) => `${step + 1} of ${STEPS.length}`;
const leaveWithFullScreen = () => document.fullscreenElement || leave();

function moveTo(value) {
  cutAt = Math.min(100, Math.max(0, value));
  const shownPair = stage.querySelector("figure");
  shownPair.classList.remove("mm-reveal");
  shownPair.style.setProperty("--cut", `${cutAt}%`);
  shownPair.querySelector("input").value = cutAt;
}

function pair() {
  const { prompt, features } = STEPS[at];
  const words = { before: `Before: ${prompt}`, after: `After: ${prompt}, ${features.map((f) => f.name).join(", ")}` };
  return make("figure", { class: "mm-compare mm-reveal", style: "--cut:50%" },
    ...["before", "after"].map((which) => make("img", { class: `mm-${which}`, src: `tour/${at}-${which}.webp`, alt: words[which] })),
    tag("before"), tag("after"),
    make("span", { class: "mm-border", "aria-hidden": "true" }),
    make("input", {
      type: "range", min: 0, max: 100, value: 50, tabindex: -1, oninput: (event) => moveTo(+event.target.value),
      "aria-label": "Border between before and after, percent: up and down keys",
    }));
}

// where the feature was drawn at every strength: a slider that puts the picture of its strength in place of after
function fader() {
  const { strip, features: [{ name }] } = STEPS[at];
  if (!strip) return null;
  const output = make("output");
  const share = (value) => `${(100 * (value - STRENGTHS[0])) / (STRENGTHS.at(-1) - STRENGTHS[0])}%`;
  const paint = () => {
    output.textContent = (+range.value).toFixed(2);
    range.style.setProperty("--from", share(Math.min(0, range.value)));
    range.style.setProperty("--to", share(Math.max(0, range.value)));
  };
  const showAfter = () => {
    paint();
    const after = stage.querySelector(".mm-after");
    after.src = strip.src;
    after.style.objectPosition = place(+range.value);
    after.alt = `After: ${STEPS[at].prompt}, ${name} ${range.value}`;
  };
  const range = make("input", {
    type: "range", min: STRENGTHS[0], max: STRENGTHS.at(-1), step: STRENGTHS[1] - STRENGTHS[0], tabindex: -1, oninput: showAfter,
    "aria-label": `strength of ${name}: plus and minus keys`,
  });
  range.value = strip.strength;
  paint();
  return make("label", { class: "mm-talk-fader" }, make("span", {}, name), output, range);
}

function nudge(direction) {
  const range = stage.querySelector(".mm-talk-fader input");
  if (!range) return;
  if (direction > 0) range.stepUp();
  else range.stepDown();
  range.dispatchEvent(new Event("input"));
}

function renderStep() {
  const { title, lesson, features, prompt } = STEPS[at];
  cutAt = 50;
  stage.querySelector(".mm-talk-pair").replaceChildren(pair());
  stage.querySelector(".mm-talk-move").replaceChildren(...[fader()].filter(Boolean));
  stage.querySelector(".mm-talk-text").replaceChildren(
    make("p", { class: "mm-talk-count" }, count(at)), make("h2", {}, title), make("p", { class: "mm-talk-lesson" }, lesson),
    make("ul", { class: "mm-talk-features", "aria-label": "features added" }, ...features.map((f) =>
      make("li", {}, make("span", { class: "mm-talk-name" }, `${f.name} `), badge(f)))),
    make("p", { class: "mm-talk-prompt" }, `“${prompt}”`));
  stage.querySelectorAll(".mm-talk-dot").forEach((dot, k) => dot.setAttribute("aria-current", k === at ? "step" : "false"));
}

function go(step) {
  if (step < 0 || step >= STEPS.length) return;
  at = step;
  renderStep();
}

const KEYS = {
  ArrowRight: () => go(at + 1), PageDown: () => go(at + 1), " ": () => go(at + 1), Enter: () => go(at + 1),
  ArrowLeft: () => go(at - 1), PageUp: () => go(at - 1), Backspace: () => go(at - 1),
  ArrowUp: () => moveTo(cutAt + 5), ArrowDown: () => moveTo(cutAt - 5),
  "+": () => nudge(1), "=": () => nudge(1), "-": () => nudge(-1),
  Home: () => go(0), End: () => go(STEPS.length - 1),
  b: () => blank(stage, "black"), ".": () => blank(stage, "black"), w: () => blank(stage, "white"),
  f: fullScreen,
};

function onkeydown(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key !== "Escape" && uncover(stage)) return event.preventDefault();
  if ([" ", "Enter"].includes(event.key) && event.target.tagName === "BUTTON") return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = KEYS[key] ?? (/^[1-9]$/.test(key) ? () => go(+key - 1) : null);
  if (!act) return;
  event.preventDefault();
  act();
}

function leave() {
  if (!stage) return;
  document.removeEventListener("fullscreenchange", leaveWithFullScreen);
  if (document.fullscreenElement) document.exitFullscreen();
  stage.remove();
  stage = null;
  document.querySelector("#mm-talk-open").focus();
}

function button(label, text, onclick, more = {}) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick, ...more }, text);
}

function foot() {
  const dots = STEPS.map((step, k) => button(`${count(k)}: ${step.title}`, k + 1, () => go(k), { class: "mm-talk-dot" }));
  return make("div", { class: "mm-talk-foot" },
    make("nav", { "aria-label": "steps of the tour" },
      button("step back", "‹", () => go(at - 1)), ...dots, button("next step", "›", () => go(at + 1))),
    make("p", { class: "mm-talk-keys" },
      make("span", { class: "mm-by-key" }, "← → or a click: step · ↑ ↓: border · + −: slider · B, W: blank · F: full screen · Esc: leave"),
      make("span", { class: "mm-by-hand" }, "swipe or tap beside the picture: step")));
}

function open() {
  stage = make("dialog", {
    class: "mm-talk dark", "aria-label": `Talk mode: a tour in ${STEPS.length} steps`, tabindex: -1,
    onkeydown, onclose: leave,
    ...touches("button, figure, label", { tap: () => go(at + 1), swipe: (step) => go(at + step) }),
  },
    make("div", { class: "mm-talk-pair" }), make("div", { class: "mm-talk-text", role: "status" }),
    make("div", { class: "mm-talk-move" }), foot(),
    button("leave talk mode", "✕", leave, { class: "mm-talk-out" }));
  document.querySelector("#mm-dialog").append(stage);
  stage.showModal();
  stage.focus();
  document.addEventListener("fullscreenchange", leaveWithFullScreen);
  fillScreen();
  go(0);
}

export function buildTalk() {
  const opener = document.querySelector("#mm-talk-open");
  opener.hidden = !STEPS.length;
  opener.addEventListener("click", open);
  if (STEPS.length && inAddress("talk") !== null) open();
}
