// The share of men as a bar, with its interval, one half and the planted bias as marks.
import { make } from "../../shared/scripts/dom.js";

const percent = (share) => `${Math.round(100 * share)} %`;
const at = (share) => `left:${100 * share}%`;

export function bar(title) {
  const fill = make("i", { class: "mm-share-fill" });
  const interval = make("i", { class: "mm-share-interval" });
  const half = make("i", { class: "mm-share-mark", style: at(0.5) }, "half");
  const planted = make("i", { class: "mm-share-mark mm-share-planted", hidden: true });
  const words = make("p", { class: "mm-share-words", role: "status" });
  return {
    node: make("div", { class: "mm-share", "aria-label": `share of men ${title}`, role: "group" },
      make("div", { class: "mm-share-bar", "aria-hidden": "true" }, fill, interval, half, planted), words),
    show: (answer) => {
      const share = answer.people ? answer.men / answer.people : 0;
      fill.style.width = `${100 * share}%`;
      interval.style.left = `${100 * answer.low}%`;
      interval.style.width = `${100 * (answer.high - answer.low)}%`;
      planted.hidden = false;
      planted.style.left = `${100 * answer.planted}%`;
      planted.textContent = "planted";
      words.textContent = answer.people
        ? `Men: ${answer.men} of ${answer.people} people, ${percent(share)} (95 % interval ${percent(answer.low)} to `
          + `${percent(answer.high)}); planted ${percent(answer.planted)}, even would be 50 %.`
        : "Nobody is left in these pictures: there is no share of men.";
    },
  };
}
