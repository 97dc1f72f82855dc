// While a slider of the rack moves, the picture follows: frame after frame is asked for, one at a time and always of the newest
// value. The component's value is the question, {number, query, rack}, then the answer: {frame: {number, …}}; or, from the pair that
// is drawn, {progress: {…}} and in the end {drawn: {…}}, which replaces all frames that were asked for before its slider was released.
import { ended, report, showBar } from "../../progress/scripts/bar.js";
import { cover, uncover } from "../../progress/scripts/cover.js";
import { shownFigure, shownQuery } from "../../shared/scripts/pair.js";

const LIMIT = props.limit;
const AGAIN = 0.8; // live again only well under the limit, so that it does not come and go
let moving = null; // the rack while a slider moves
let sent = null; // the rack that was last asked for
let asked = 0; // number of the last frame
let waiting = 0; // number of the frame on its way
let released = 0; // the last frame before a release
let over = 0; // the last frame before a pair
let last = Infinity; // seconds that the last picture took
let live = false; // whether frames are asked for

const status = () => document.querySelector("#mm-status");

function follow() {
  if (!live || waiting || !moving || moving === sent || !shownFigure()) return;
  sent = moving;
  waiting = ++asked;
  props.value = { number: asked, query: shownQuery(), rack: moving };
  trigger("ask");
}

window.addEventListener("mm-move", ({ detail }) => {
  moving = detail;
  if (moving) follow();
  else released = asked;
});

// the pair that a release has asked for
function finish(drawn) {
  over = released;
  if (waiting <= over) waiting = 0;
  sent = null; // a slider that moves again goes on from the new pair
  settle(drawn);
  if (drawn.present) window.dispatchEvent(new CustomEvent("mm-present", { detail: drawn.present }));
  if (drawn.forget?.length) window.dispatchEvent(new CustomEvent("mm-forget", { detail: drawn.forget }));
}

watch("value", () => {
  const { frame, progress, drawn } = props.value ?? {};
  if (progress) {
    report(progress);
  } else if (frame) {
    if (frame.number === waiting) waiting = 0;
    if (frame.number > over && frame.after) show(frame); // if something is wrong, the release shows the error
  } else if (drawn) {
    finish(drawn);
  }
  pace((frame ?? drawn)?.seconds);
  follow();
});

// the faster of the last two pictures counts: one slow picture does not make a slow backbone
function pace(seconds) {
  if (seconds == null) return;
  live = Math.min(seconds, last) < LIMIT * (live || last === Infinity ? 1 : AGAIN);
  last = seconds;
  status().toggleAttribute("data-live", live);
}

function show({ after, ood }) {
  cover("after", after);
  showDistance(ood);
  status().ariaBusy = "true"; // a screen reader waits for the end of the move
}

// gradio changes nothing of a pair that is the same as before, or that could not be drawn: then what is covered comes back
function settle({ ood, stopped }) {
  uncover();
  ended(stopped);
  showDistance(ood);
  status().ariaBusy = null;
}

function showDistance(ood) {
  const place = status().querySelector(".mm-ood");
  if (place && ood) Object.assign(place, ood);
}

showBar(() => trigger("stop"));
