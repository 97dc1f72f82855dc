// Frames of the picture on the stage, while its slider moves. The slider is in another component, so it speaks by events of the window:
// "mm-fader" with {move} or {rest}, each {query, rack}, or {gone}; or {seconds} that a picture took. "mm-stage-frame" is the answer.
import { follower } from "../../shared/scripts/frames.js";

const frames = follower(props.limit, (number, wanted) => {
  props.value = { number, ...wanted };
  trigger("ask");
});

window.addEventListener("mm-fader", ({ detail: { move, rest, gone, seconds } }) => {
  frames.pace(seconds);
  if (move) frames.move(move);
  if (rest) frames.rest(rest);
  if (!gone) return;
  frames.move(null);
  frames.replaced(frames.asked());
});

watch("value", () => {
  const { frame } = props.value ?? {};
  if (!frame) return;
  if (frames.answered(frame)) window.dispatchEvent(new CustomEvent("mm-stage-frame", { detail: frame }));
  frames.pace(frame.seconds);
  frames.follow();
});
