// A slider that says where it moves and, once it rests, where. A finger that scrolls the page did not mean it: it is put back.
import { make } from "./dom.js";

const KEYS = ["Arrow", "Page", "Home", "End"];
const PAUSE = 250; // milliseconds of rest after which keys count as a change

// `value` gives the value to go back to; `rest` is called with the new one, at once, or after a pause of keys
export function rangeInput({ value, rest, move = () => {}, ...attributes }) {
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
      move(value());
      rest(value());
    },
    onkeyup: (event) => KEYS.some((key) => event.key.startsWith(key)) && settle(PAUSE),
  });
  range.value = value();
  return range;
}
