// While a slider of the rack moves, the picture follows: frame after frame is asked for, one at a time and always of the newest
// value. Its value is what is asked, {number, query, rack}, then what is answered: {frame: {number, …}}, or {drawn: {…}} with every
// pair, which replaces all frames that were asked for before its slider was let go.
const LIMIT = props.limit, AGAIN = 0.8; // live again only well under the limit, so that it does not come and go
let moving = null, sent = null; // the rack on its way: as it stands, and as it was last asked for
let asked = 0, waiting = 0, released = 0, over = 0; // frames: the last, the one on its way, the last before a release, before a pair
let last = Infinity, live = false; // seconds that the last picture took; whether frames are asked for
let under = null; // what frames cover

const pair = () => document.querySelector("#mm-pictures figure[data-query]"), told = () => document.querySelector("#mm-told");

function follow() {
  if (!live || waiting || !moving || moving === sent || !pair()) return;
  sent = moving;
  waiting = ++asked;
  props.value = { number: asked, query: pair().dataset.query, rack: moving };
  trigger("ask");
}

window.addEventListener("mm-move", ({ detail }) => {
  moving = detail;
  if (moving) follow();
  else released = asked;
});

watch("value", () => {
  const { frame, drawn } = props.value ?? {};
  if (frame) {
    if (frame.number === waiting) waiting = 0;
    if (frame.number > over && frame.after) show(frame); // of what goes wrong, the release tells
  } else if (drawn) {
    over = released;
    if (waiting <= over) waiting = 0;
    sent = null; // a slider that moves again goes on from the new pair
    settle(drawn);
  }
  pace((frame ?? drawn)?.seconds);
  follow();
});

// the faster of the last two pictures counts: one slow picture makes no slow backbone
function pace(seconds) {
  if (seconds == null) return;
  live = Math.min(seconds, last) < LIMIT * (live || last === Infinity ? 1 : AGAIN);
  last = seconds;
  told().toggleAttribute("data-live", live);
}

function show({ after, gauge }) {
  const figure = pair(), picture = figure.querySelector(".mm-after"), { query } = figure.dataset;
  if (under?.query !== query) under = { query, src: picture.src, alt: picture.alt };
  Object.assign(picture, after);
  put(gauge);
  told().ariaBusy = "true"; // a screen reader waits for the end of the move
}

// gradio changes nothing of a pair that is the same as before, or that could not be drawn: then it comes back from under the frames
function settle({ gauge }) {
  const figure = pair();
  if (under && figure?.dataset.query === under.query) Object.assign(figure.querySelector(".mm-after"), { src: under.src, alt: under.alt });
  under = null;
  put(gauge);
  told().ariaBusy = null;
}

function put(gauge) {
  const place = told().querySelector(".mm-gauge");
  if (place && gauge) Object.assign(place, gauge);
}
