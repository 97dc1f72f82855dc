// The blank screen of a talk: any key or click brings the picture back.
import { make } from "../../shared/scripts/dom.js";

const cover = (stage) => stage.querySelector(".mm-talk-blank");

// returns whether there was one
export function uncover(stage) {
  const isBlank = Boolean(cover(stage));
  cover(stage)?.remove();
  return isBlank;
}

export function blank(stage, colour) {
  const onpointerdown = (event) => {
    event.stopPropagation(); // or the click would go to the next step
    uncover(stage);
  };
  stage.append(make("div", { class: `mm-talk-blank mm-${colour}`, role: "img", "aria-label": "blank screen", onpointerdown }));
}
