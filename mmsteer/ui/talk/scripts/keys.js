// What the keys do, and the list of them.
import { make } from "../../shared/scripts/dom.js";
import { MODALITIES } from "../../shared/scripts/features.js";
import { blank, uncover } from "./blank.js";
import { nudge } from "./fader.js";
import { moveBorder } from "./picture.js";
import { fullScreen } from "./screen.js";
import { asked, current, guess, show, steps } from "./state.js";
import { go, next, render, setView, switchTalk, toggleGuessing, toggleTyped } from "./talk.js";

const LIST = [
  ["→ PgDn Space Enter", "next step; in a guess: the answer"], ["← PgUp Backspace", "previous step"],
  ["1 to 9, Home, End", "go to a step; in a guess: 1, 2, 3 answer"], ["+ −", "slider: stronger, weaker"],
  ["↑ ↓", "border between before and after; where they take turns: stay on one"], ["V", "border, or before and after in turn"],
  ["T", "type it or steer it?"], ["G", "guess: seen, said, or both?"], ["M", "my talk, or the tour"],
  ["B . and W", "black and white screen; any key brings it back"], ["F", "full screen"], ["?", "this list"], ["Esc", "leave"],
];

const ACTS = {
  ArrowRight: next, PageDown: next, " ": next, Enter: next,
  ArrowLeft: () => go(show.at - 1), PageUp: () => go(show.at - 1), Backspace: () => go(show.at - 1),
  ArrowUp: () => moveBorder(show.cut + 5), ArrowDown: () => moveBorder(show.cut - 5),
  Home: () => go(0), End: () => go(steps().length - 1),
  "+": () => nudge(1), "=": () => nudge(1), "-": () => nudge(-1), "−": () => nudge(-1),
  b: () => blank(show.stage, "black"), ".": () => blank(show.stage, "black"), w: () => blank(show.stage, "white"),
  f: fullScreen, g: toggleGuessing, m: switchTalk, t: toggleTyped, v: setView, "?": toggleKeys,
};

export function toggleKeys() {
  const open = show.stage.querySelector(".mm-talk-list");
  if (open) return open.remove();
  const rows = LIST.flatMap(([keys, meaning]) => [make("dt", {}, keys), make("dd", {}, meaning)]);
  show.stage.append(make("div", { class: "mm-talk-list", onclick: toggleKeys }, make("h3", {}, "Keys"), make("dl", {}, ...rows),
    make("p", {}, `“Changed”: ${props.meaning.toLowerCase()}.`)));
}

function digit(number) {
  if (asked(current()) < 0) return go(number - 1);
  if (number > MODALITIES.length) return null;
  guess(current(), MODALITIES[number - 1]);
  return render();
}

export function onkeydown(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") return; // the dialog closes itself
  if (uncover(show.stage)) return event.preventDefault();
  if ([" ", "Enter"].includes(event.key) && event.target.tagName === "BUTTON") return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = ACTS[key] ?? (/^[1-9]$/.test(key) ? () => digit(+key) : null);
  if (!act) return;
  event.preventDefault();
  act();
}

// for those who press none
export const tools = () => [
  ["mm-tool-view", "blink", "border, or before and after in turn (V)", setView],
  ["mm-tool-typed", "type it or steer it?", "the same in typed words, from the same noise (T)", toggleTyped],
  ["mm-tool-guess", "guess", "hide whether a feature is seen, said, or both, until it is guessed (G)", toggleGuessing],
  ["mm-tool-own", "my talk", "your own talk, or the tour (M)", switchTalk],
  ["mm-tool-keys", "?", "the keys", toggleKeys],
].map(([id, text, title, onclick]) => make("button", { type: "button", class: `mm-tool ${id}`, title, onclick }, text));

