// How strongly the image adapter acts, and how far a whole picture takes the place of the prompt's own image embedding.
// The value, {scale, share, embedding}, is this recipe's; `adapter` says whether the backbone has one.
import { make } from "../../shared/scripts/dom.js";

const PAUSE = 250; // milliseconds of rest after which keys count as a change
const KEYS = ["Arrow", "Page", "Home", "End"];
const place = element.querySelector(".mm-image");
let state = structuredClone(props.value);
let timer;

function changed(now) {
  clearTimeout(timer);
  const release = () => {
    props.value = structuredClone(state);
    trigger("release");
  };
  if (now) release();
  else timer = setTimeout(release, PAUSE);
}

function slider(name, label, most, title) {
  const out = make("output", { class: "mm-score" }, state[name].toFixed(2));
  const set = (now) => {
    state[name] = +(+range.value).toFixed(2);
    changed(now);
  };
  const range = make("input", {
    type: "range", min: 0, max: most, step: 0.05, "aria-label": label, title,
    oninput: () => (out.textContent = (+range.value).toFixed(2)),
    onpointerup: () => set(true),
    onpointercancel: () => set(true), // a finger that scrolls on: what the slider shows is drawn
    onkeyup: (event) => KEYS.some((key) => event.key.startsWith(key)) && set(false),
  });
  range.value = state[name];
  return make("label", { class: "mm-image-row" }, make("span", {}, label), range, out);
}

function render() {
  place.replaceChildren(...[
    props.adapter && slider("scale", "image adapter", props.largest, "how strongly its tokens act, in before and after; 1 is as trained"),
    state.embedding && slider("share", "whole picture", 1, "how far its image embedding takes the place of the prompt's, in after"),
  ].filter(Boolean));
}

watch("value", () => {
  if (JSON.stringify(props.value) === JSON.stringify(state)) return; // a move of its own
  state = structuredClone(props.value);
  render();
});
watch("adapter", render);
render();
