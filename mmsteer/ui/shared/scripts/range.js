// A slider that says where it moves and, once it rests, where. A finger that scrolls the page did not mean it: it is put back.
import { make } from "./dom.js";

const KEYS = ["Arrow", "Page", "Home", "End"];
export const PAUSE = 250; // milliseconds of rest after which keys, or typing, count as a change

// `value` gives the value to go back to; `rest` is called with the new one, at once, or after a pause of keys. Whoever counts that
// pause itself gives `key`, called at each; and whoever goes back in another way than by moving and resting there, `back`.
export function rangeInput({ value, rest, move = () => {}, key, back, ...attributes }) {
  let timer;
  const settle = (pause) => {
    clearTimeout(timer);
    if (pause) timer = setTimeout(() => rest(+range.value), pause);
    else rest(+range.value);
  };
  const range = make("input", {
    type: "range", step: 0.05, ...attributes,
    oninput: () => move(+range.value),
    onpointerup: () => settle(0),
    onpointercancel: () => {
      range.value = value();
      if (back) return back();
      move(value());
      rest(value());
    },
    onkeyup: (event) => {
      if (!KEYS.some((start) => event.key.startsWith(start))) return;
      if (key) key(+range.value);
      else settle(PAUSE);
    },
  });
  range.value = value();
  return range;
}

// where a value stands between its limits, in percent
export const share = (value, [low, high]) => (100 * (value - low)) / (high - low);

// the bar of a slider is filled from zero to a value, whichever side that is
export function fillBar(range, value, limits) {
  const [from, to] = [share(0, limits), share(value, limits)].sort((a, b) => a - b);
  range.style.setProperty("--from", `${from}%`);
  range.style.setProperty("--to", `${to}%`);
}
