// Frames of a picture that follows a slider: asked for one at a time, always of the newest value, and only where a picture takes
// less than a limit; where it takes longer, once the slider rests.
const AGAIN = 0.8; // live again only well under the limit, so that it does not come and go

// `ask` is called with the number of a frame and the value that it is to show
export function follower(limit, ask) {
  let value = null; // the newest; null: the slider rests, and its last value has been drawn in another way
  let sent = null; // the value that was last asked for
  let asked = 0; // number of the last frame
  let waiting = 0; // number of the frame on its way
  let over = 0; // the last frame that may no longer be shown
  let last = Infinity; // seconds that the last picture took
  let live = false; // whether frames are asked for while the slider moves
  let resting = false;

  function follow() {
    if (!(live || resting) || waiting || value === null || value === sent) return;
    sent = value;
    ask(waiting = ++asked, value);
  }
  return {
    follow,
    isLive: () => live,
    asked: () => asked,
    move(newest) {
      value = newest;
      resting = false;
      follow();
    },
    rest(final) {
      value = final;
      resting = true;
      follow();
    },
    // whether this frame is to be shown
    answered({ number, after }) {
      if (number === waiting) waiting = 0;
      return Boolean(after) && number > over;
    },
    // something else is shown in place of all frames up to this one
    replaced(number) {
      over = number;
      if (waiting <= over) waiting = 0;
      sent = null; // a slider that moves again goes on from there
    },
    // the faster of the last two pictures counts: one slow picture does not make a slow backbone
    pace(seconds) {
      if (seconds == null) return;
      live = Math.min(seconds, last) < limit * (live || last === Infinity ? 1 : AGAIN);
      last = seconds;
    },
  };
}
