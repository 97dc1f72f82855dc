// While a slider of the pair moves, the picture follows: frame after frame is asked for, one at a time and always of the newest
// value. Sliders say what they move by "mm-move": {rack}, {freedom}, {scale} or {share}, and nothing once they rest. The component's value
// is the question, {number, query} with it, then the answer: {frame: {number, …}}; or, from the pair that is drawn, {progress: {…}}
// and in the end {drawn: {…}}, which replaces all frames that were asked for before its slider was released.
import { ended, report, showBar } from "../../progress/scripts/bar.js";
import { cover, uncover } from "../../progress/scripts/cover.js";
import { follower } from "../../shared/scripts/frames.js";
import { shownFigure, shownQuery } from "../../shared/scripts/pair.js";

let released = 0; // the last frame before a release

const status = () => document.querySelector("#mm-status");

const frames = follower(props.limit, (number, moved) => {
  props.value = { number, query: shownQuery(), ...moved };
  trigger("ask");
});

window.addEventListener("mm-move", ({ detail }) => {
  if (!detail) released = frames.asked();
  frames.move(shownFigure() ? detail : null);
});

// the pair that a release has asked for
function finish(drawn) {
  frames.replaced(released);
  settle(drawn);
  if (drawn.present) window.dispatchEvent(new CustomEvent("mm-present", { detail: drawn.present }));
  if (drawn.forget?.length) window.dispatchEvent(new CustomEvent("mm-forget", { detail: drawn.forget }));
}

watch("value", () => {
  const { frame, progress, drawn } = props.value ?? {};
  if (progress) {
    report(progress);
  } else if (frame) {
    if (frames.answered(frame)) show(frame); // if something is wrong, the release shows the error
  } else if (drawn) {
    finish(drawn);
  }
  frames.pace((frame ?? drawn)?.seconds);
  status().toggleAttribute("data-live", frames.isLive());
  frames.follow();
});

function show({ before, after, ood, changed }) {
  if (before) cover("before", before);
  cover("after", after);
  showFigures(ood, changed);
  status().ariaBusy = "true"; // a screen reader waits for the end of the move
}

// gradio changes nothing of a pair that is the same as before, or that could not be drawn: then what is covered comes back
function settle({ ood, changed, stopped }) {
  uncover();
  ended(stopped);
  showFigures(ood, changed);
  status().ariaBusy = null;
}

function showFigures(ood, changed) {
  const [distance, share] = [".mm-ood", ".mm-changed"].map((place) => status().querySelector(place));
  if (distance && ood) Object.assign(distance, ood);
  if (share && changed) share.textContent = changed;
}

showBar(() => trigger("stop"));
