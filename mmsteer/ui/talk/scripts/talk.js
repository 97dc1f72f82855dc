// The tour: on the page, a line that describes a preset; in talk mode, one pair at a time on the whole screen. Talk mode shows the tour
// or the visitor's own talk.
import { make, pressed } from "../../shared/scripts/dom.js";
import { renderFader } from "./fader.js";
import { onkeydown, tools } from "./keys.js";
import { exchange, pictures, showFrame, view } from "./picture.js";
import { fetchNext, forgetWaiting, received } from "./requests.js";
import { fillScreen, touches } from "./screen.js";
import { asked, current, forgetErrors, guess, nameOf, ownSteps, show, startGuessing, steps } from "./state.js";
import { text } from "./text.js";

const place = element.querySelector(".mm-tour");

const count = (step) => `${step + 1} of ${steps().length}`;
const part = (name) => show.stage.querySelector(`.mm-talk-${name}`);

function renderPictures() {
  part("pair").replaceChildren(pictures());
  renderSlider();
}

const renderSlider = () => part("move").replaceChildren(renderFader());

function renderFoot() {
  show.stage.querySelectorAll(".mm-talk-dot").forEach((dot, k) => dot.setAttribute("aria-current", k === show.at ? "step" : "false"));
  show.stage.querySelector("[aria-current=step]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  const states = { view: view() === "blink", typed: show.typed, guess: show.guessing, own: show.own };
  for (const [tool, isOn] of Object.entries(states)) {
    show.stage.querySelector(`.mm-tool-${tool}`).setAttribute("aria-pressed", pressed(isOn));
  }
  show.stage.querySelector(".mm-tool-own").hidden = !ownSteps().length;
}

export function render() {
  show.stage.dataset.mode = show.typed && asked(current()) < 0 && current() ? "typed" : "pair";
  renderPictures();
  part("text").replaceChildren(...text(render));
  renderFoot();
  if (!show.stage.contains(document.activeElement)) show.stage.focus(); // a button that was pressed may be gone
  fetchNext();
}

export function go(step) {
  if (step < 0 || step >= steps().length) return;
  show.at = step;
  forgetErrors(current()); // try again
  render();
}

// the answer to a guess comes before the next step
export function next() {
  if (asked(current()) < 0) return go(show.at + 1);
  guess(current(), null);
  return render();
}

export function toggleTyped() {
  show.typed = !show.typed;
  render();
}

export function toggleGuessing() {
  startGuessing();
  render();
}

export function setView() {
  show.view = view() === "blink" ? "slide" : "blink";
  show.typed = false;
  render();
}

export function switchTalk() {
  if (!ownSteps().length) return;
  show.own = !show.own;
  show.at = 0;
  part("foot").replaceWith(foot());
  render();
}

function leave() {
  if (!show.stage) return;
  document.removeEventListener("fullscreenchange", leaveWithFullScreen);
  if (document.fullscreenElement) document.exitFullscreen();
  show.stage.remove();
  show.stage = null;
  document.querySelector("#mm-pictures summary")?.focus();
}

// Escape leaves full screen and talk mode together
const leaveWithFullScreen = () => document.fullscreenElement || leave();

function button(label, words, onclick, more = {}) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick, ...more }, words);
}

function foot() {
  const dots = steps().map((step, k) => button(`${count(k)}: ${step.title}`, k + 1, () => go(k), { class: "mm-talk-dot" }));
  return make("div", { class: "mm-talk-foot" },
    make("nav", { "aria-label": "steps of the talk" },
      button("step back", "‹", () => go(show.at - 1)), ...dots, button("next step", "›", next)),
    make("p", { class: "mm-talk-keys" },
      make("span", { class: "mm-by-key" }, "← → step · + − slider · ? all keys"),
      make("span", { class: "mm-by-hand" }, "swipe or tap beside the picture: step")),
    make("div", { class: "mm-talk-tools" }, ...tools()));
}

function open(own = show.own) {
  forgetWaiting();
  show.at = own === show.own ? Math.min(show.at, Math.max(0, steps().length - 1)) : 0;
  show.own = own && ownSteps().length > 0;
  show.stage = make("dialog", {
    class: "mm-talk dark", "aria-label": "Talk mode", tabindex: -1,
    onkeydown, onclose: leave,
    ...touches("button, figure, label, .mm-talk-list", { tap: next, swipe: (step) => go(show.at + step) }),
  },
    make("div", { class: "mm-talk-pair" }), make("div", { class: "mm-talk-text", role: "status" }), make("div", { class: "mm-talk-move" }),
    foot(), button("leave talk mode", "✕", leave, { class: "mm-talk-out" }));
  place.append(show.stage);
  show.stage.showModal();
  show.stage.focus();
  document.addEventListener("fullscreenchange", leaveWithFullScreen);
  fillScreen();
  if (current()) forgetErrors(current());
  render();
}

watch("value", () => {
  const name = received(props.value ?? {});
  if (name === null || !show.stage) return;
  show.stage.dataset.loaded = 1 + +(show.stage.dataset.loaded ?? 0);
  if (current() && name === nameOf(current())) arrived();
  fetchNext();
});

// not the text, where it stays the same: removing what is under a finger ends its swipe
function arrived() {
  if (exchange()) renderSlider();
  else renderPictures();
  renderFoot();
  const texts = text(render);
  if (texts.map((one) => one.textContent).join() !== [...part("text").children].map((one) => one.textContent).join()) {
    part("text").replaceChildren(...texts);
  }
}

window.addEventListener("mm-stage-frame", ({ detail }) => showFrame(detail));

const line = make("p", { class: "mm-try", "aria-live": "polite" });
place.replaceChildren(line);

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("#mm-talk-open, #mm-own-start");
  if (opener) return open(opener.id === "mm-own-start");
  const preset = /^mm-preset-(\d+)$/.exec(event.target.closest?.("[id^=mm-preset-]")?.id ?? "");
  if (!preset) return;
  Object.assign(show, { own: false, at: +preset[1] });
  line.textContent = `${count(show.at)} · ${current().lesson}`;
});
// what a preset shows is no longer said once it is changed
window.addEventListener("mm-rack", ({ detail }) => detail.changed && (line.textContent = ""));
if (new URLSearchParams(location.search).has("talk")) open();
