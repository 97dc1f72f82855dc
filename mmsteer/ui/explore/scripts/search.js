// The search: a field, and whether it looks for words or for meaning.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { refresh } from "./choice.js";
import { showCount } from "./list.js";
import { state } from "./state.js";

const PAUSE = 400; // milliseconds of rest before the server is asked
const PLACEHOLDERS = { word: "a word: penguin, night, light …", meaning: "a phrase: a cat at night" };
const TITLES = {
  word: "the word is in its name or its captions",
  meaning: "close to your words in the text encoder's space",
};
let timer;
let asking = 0; // number of the last question

export const problem = make("div", { role: "alert" });
export const field = make("input", {
  type: "search", "aria-label": "search features", placeholder: PLACEHOLDERS.word, maxlength: 200, oninput: onInput,
  onkeydown: (event) => event.key === "Enter" && state.by === "meaning" && askMeaning(),
});
export const ways = make("div", { class: "mm-filters", role: "group", "aria-label": "search by" },
  ...Object.keys(PLACEHOLDERS).map((by) => chip(`by ${by}`, () => searchBy(by), { "data-is": by, title: TITLES[by] })));

export function renderWays() {
  for (const button of ways.children) button.setAttribute("aria-pressed", pressed(state.by === button.dataset.is));
}

function onInput() {
  clearTimeout(timer);
  problem.replaceChildren();
  if (state.by === "word") return refresh();
  timer = setTimeout(askMeaning, PAUSE);
}

async function askMeaning() {
  clearTimeout(timer);
  const number = ++asking;
  const text = field.value.trim();
  problem.replaceChildren();
  if (!text) state.similarity = null;
  else {
    showCount("asking the text encoder …");
    const answer = (await server.meaning(text)) ?? { error: "The server does not answer: please try again." };
    if (number !== asking) return; // newer words were asked for
    if (answer.error) problem.replaceChildren(make("p", { class: "mm-note" }, answer.error));
    state.similarity = new Map(answer.error ? [] : answer);
    if (state.similarity.size) state.chosen = null; // the best match goes onto the card
  }
  refresh();
}

function searchBy(by) {
  state.by = by;
  field.placeholder = PLACEHOLDERS[by];
  state.similarity = null;
  asking++;
  problem.replaceChildren();
  refresh();
  if (by === "meaning" && field.value.trim()) askMeaning();
}

export function searchByMeaning() {
  searchBy("meaning");
  field.focus();
}
