// CLIP's top captions with their similarities as bars.
import { make } from "../../shared/scripts/dom.js";

// `right` is marked: the first answer before the attack
export function answerList(title, answers, right) {
  return make("section", { class: "mm-answers", "aria-label": title }, make("h3", {}, title),
    make("ol", {}, ...answers.map(([caption, similarity]) => make("li", { "data-right": caption === right },
      make("span", {}, caption, caption === right && answers[0][0] !== right ? make("small", {}, " (the answer before)") : null),
      make("b", { title: "cosine in CLIP's joint space" }, similarity.toFixed(2)),
      make("i", { "aria-hidden": "true", style: `width:${100 * Math.max(0, similarity)}%` })))));
}
