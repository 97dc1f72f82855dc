// How strongly the image adapter acts, and how far a whole picture takes the place of the prompt's own image embedding.
// The value, {scale, share, embedding}, is this recipe's; `adapter` says whether the backbone has one.
import { make } from "../../shared/scripts/dom.js";
import { pairFollows } from "../../shared/scripts/pair.js";
import { rangeInput } from "../../shared/scripts/range.js";

const place = element.querySelector(".mm-image");
let state = structuredClone(props.value);

function slider(name, label, most, title) {
  const out = make("output", { class: "mm-score" }, state[name].toFixed(2));
  const range = rangeInput({
    min: 0, max: most, "aria-label": label, title,
    value: () => state[name],
    move: (value) => {
      out.textContent = value.toFixed(2);
      pairFollows({ [name]: value });
    },
    rest: (value) => {
      pairFollows(null);
      state[name] = +value.toFixed(2);
      props.value = structuredClone(state);
      trigger("release");
    },
  });
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
