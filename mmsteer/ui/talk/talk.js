// The tour: on the page, a line that tells what a preset shows; in talk mode, one pair at a time on the whole screen.
// A pair is asked for as `{step}`, comes back as `{step, before, after}` (or `{step, wrong}`), and stays in `kept`.
const make = window.mmMake, STEPS = props.steps, kept = new Map(), line = element.querySelector(".mm-tour");
let stage = null, at = 0, asked = null, cut = 50, from = null;

const count = (step) => `${step + 1} of ${STEPS.length}`;

// one request at a time: the step shown, else the next one, so that going on is instant
function fetchNext() {
  const wanted = [at, at + 1].find((step) => step < STEPS.length && !kept.has(step));
  if (!stage || asked != null || wanted == null) return;
  asked = wanted;
  props.value = { step: wanted };
  trigger("ask");
}

function border(value) {
  cut = Math.min(100, Math.max(0, value));
  const figure = stage.querySelector("figure");
  figure.classList.remove("mm-reveal");
  figure.style.setProperty("--cut", `${cut}%`);
  const range = figure.querySelector("input");
  if (range) range.value = cut;
}

function badge(feature) {
  return make("li", {}, make("span", { class: "mm-talk-name" }, `${feature.name} `),
    make("span", { class: `mm-badge mm-${feature.modality}`, title: feature.told },
      make("span", { "aria-hidden": "true" }, props.shapes[feature.modality]), ` ${feature.modality} ${feature.mds.toFixed(2)}`));
}

function figure() {
  const pair = kept.get(at);
  if (!pair?.after) return make("div", { class: "mm-compare mm-waiting" }, make("p", {}, pair?.wrong ?? "Drawing …"));
  return make("figure", { class: "mm-compare mm-reveal", style: "--cut:50%" },
    ...["before", "after"].map((which) => make("img", { class: `mm-${which}`, ...pair[which] })),
    make("span", { class: "mm-tag mm-tag-before", "aria-hidden": "true" }, "before"),
    make("span", { class: "mm-tag mm-tag-after", "aria-hidden": "true" }, "after"),
    make("span", { class: "mm-border", "aria-hidden": "true" }),
    make("input", {
      type: "range", min: 0, max: 100, value: 50, tabindex: -1, "aria-label": "Border between before and after, percent: up and down keys",
      oninput: (event) => border(+event.target.value),
    }));
}

const renderPair = () => stage.querySelector(".mm-talk-pair").replaceChildren(figure());

function render() {
  const step = STEPS[at];
  renderPair();
  stage.querySelector(".mm-talk-text").replaceChildren(
    make("p", { class: "mm-talk-count" }, count(at)),
    make("h2", {}, step.title),
    make("p", { class: "mm-talk-told" }, step.told),
    make("ul", { class: "mm-talk-features", "aria-label": "features added" }, ...step.features.map(badge)),
    make("p", { class: "mm-talk-prompt" }, `“${step.prompt}”`));
  stage.querySelectorAll(".mm-talk-dot").forEach((dot, k) => dot.setAttribute("aria-current", k === at ? "step" : "false"));
}

function go(step) {
  if (step < 0 || step >= STEPS.length) return;
  at = step;
  if (kept.get(at)?.wrong) kept.delete(at); // try again
  render();
  fetchNext();
}

const fill = () => document.documentElement.requestFullscreen?.().catch(() => {}); // where it is not allowed, the window is filled

const KEYS = {
  ArrowRight: () => go(at + 1), PageDown: () => go(at + 1), " ": () => go(at + 1), Enter: () => go(at + 1),
  ArrowLeft: () => go(at - 1), PageUp: () => go(at - 1), Backspace: () => go(at - 1),
  ArrowUp: () => border(cut + 5), ArrowDown: () => border(cut - 5),
  Home: () => go(0), End: () => go(STEPS.length - 1),
  f: () => (document.fullscreenElement ? document.exitFullscreen() : fill()),
};

function onkeydown(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if ([" ", "Enter"].includes(event.key) && event.target.tagName === "BUTTON") return;
  const act = KEYS[event.key] ?? (/^[1-9]$/.test(event.key) ? () => go(+event.key - 1) : null);
  if (!act) return;
  event.preventDefault();
  act();
}

const beside = (event) => !event.target.closest("button, figure");

function leave() {
  if (!stage) return;
  document.removeEventListener("fullscreenchange", unfilled);
  if (document.fullscreenElement) document.exitFullscreen();
  stage.remove();
  stage = null;
  line.querySelector("button").focus();
}

const unfilled = () => document.fullscreenElement || leave(); // Escape leaves the full screen and talk mode at once

function open() {
  asked = null;
  const button = (label, text, onclick, more = {}) => make("button", { type: "button", "aria-label": label, title: label, onclick, ...more }, text);
  stage = make("dialog", {
    class: "mm-talk dark", "aria-label": `Talk mode: a tour in ${STEPS.length} steps`, tabindex: -1, onkeydown, onclose: leave,
    // not by clicks: a browser makes none of a tap that follows close on a swipe
    onpointerdown: (event) => (from = beside(event) ? event.clientX : null),
    onpointerup: (event) => {
      if (from == null) return;
      const moved = event.clientX - from;
      from = null;
      if (Math.abs(moved) < 10) go(at + 1);
      else if (Math.abs(moved) > 40) go(at + (moved < 0 ? 1 : -1));
    },
  },
    make("div", { class: "mm-talk-pair" }), make("div", { class: "mm-talk-text", role: "status" }),
    make("div", { class: "mm-talk-foot" },
      make("nav", { "aria-label": "steps of the tour" },
        button("step back", "‹", () => go(at - 1)),
        ...STEPS.map((step, k) => button(`${count(k)}: ${step.title}`, k + 1, () => go(k), { class: "mm-talk-dot" })),
        button("next step", "›", () => go(at + 1))),
      make("p", { class: "mm-talk-keys" },
        make("span", { class: "mm-by-key" }, "← → or a click: step · ↑ ↓: border · F: full screen · Esc: leave"),
        make("span", { class: "mm-by-hand" }, "swipe or tap beside the picture: step"))),
    button("leave talk mode", "✕", leave, { class: "mm-talk-out" }));
  line.append(stage);
  stage.showModal();
  stage.focus();
  document.addEventListener("fullscreenchange", unfilled);
  fill();
  go(at);
}

watch("value", () => {
  const { step, ...pair } = props.value;
  asked = null;
  kept.set(step, pair);
  if (stage) stage.dataset.kept = kept.size;
  if (stage && step === at) renderPair(); // not the words: what is taken from under a finger ends its swipe
  fetchNext();
});

const told = make("p", { class: "mm-try", "aria-live": "polite" }, "Try one of these");
line.replaceChildren(told, make("button", { type: "button", class: "mm-chip", id: "mm-talk-open", title: "the same as a tour on the whole screen", onclick: open }, "Talk mode"));
document.addEventListener("click", (event) => {
  const preset = /^mm-preset-(\d+)$/.exec(event.target.closest?.("[id^=mm-preset-]")?.id ?? "");
  if (!preset) return;
  at = +preset[1];
  told.textContent = `${count(at)} · ${STEPS[at].told}`;
});
if (new URLSearchParams(location.search).has("talk")) open();
