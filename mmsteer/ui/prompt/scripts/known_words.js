// Words of the prompt that the model does not know, as they are typed. A known word takes the place of one at a click.
// `words` are the known ones, once the model has loaded; `drawn` what it can draw.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { onNewPair } from "../../shared/scripts/pair.js";
import { promptText, typePrompt, wordsIn } from "../../shared/scripts/prompt_words.js";

const MOST = 3; // suggestions for a word
const LEAST = 0.45; // of the letters' pairs that two words share, to be called near
const place = element.querySelector(".mm-known");
const line = make("p", { role: "status" });
const list = make("div", {
  class: "mm-chips", role: "group", "aria-label": "what can be drawn; a click adds it to the prompt", hidden: true,
});
let known = new Set();
let read = ""; // the prompt as it was last looked at

const isKnown = (word) => word.length < 2 || known.has(word) || word.split(/['’_-]/).every((part) => part.length < 2 || known.has(part));

const pairs = (word) => [...` ${word} `].slice(0, -1).map((letter, k, all) => letter + (all[k + 1] ?? " "));

// Dice's coefficient of the pairs of letters
function likeness(word, other) {
  const [own, others] = [pairs(word), pairs(other)];
  const shared = own.filter((pair) => others.includes(pair)).length;
  return (2 * shared) / (own.length + others.length);
}

function nearest(word) {
  const rated = props.drawn.filter((name) => !name.includes(" ")).map((name) => [likeness(word, name), name]);
  return rated.filter(([rate]) => rate >= LEAST).sort(([a], [b]) => b - a).slice(0, MOST).map(([, name]) => name);
}

function exchange(word, other) {
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  typePrompt(promptText().replace(new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, "giu"), other));
}

function suggestions(word) {
  const near = nearest(word);
  const chips = near.map((other) => chip(other, () => exchange(word, other), { "aria-label": `${other} in place of ${word}` }));
  return make("span", { class: "mm-unknown" }, make("mark", {}, word), near.length ? " – nearest: " : "", ...chips);
}

function toggleList() {
  list.hidden = !list.hidden;
  render();
}

function render() {
  if (!props.words) return;
  read = promptText();
  const unknown = [...new Set(wordsIn(read))].filter((word) => !isKnown(word));
  const all = chip("What can be drawn", toggleList, { "aria-expanded": pressed(!list.hidden) });
  const isShown = Boolean(unknown.length) || !list.hidden;
  line.replaceChildren(...(unknown.length ? ["Not known: ", ...unknown.map(suggestions)] : []), ...(isShown ? [all] : []));
}

function learn() {
  known = new Set(props.words ?? []);
  document.body.classList.toggle("mm-whole-words", Boolean(props.words));
  list.replaceChildren(...props.drawn.map((name) => chip(name, () => typePrompt(`${promptText().trim()} ${name}`.trim()))));
  render();
}

place.replaceChildren(line, list);
watch("words", learn);
document.addEventListener("input", (event) => event.target.closest?.("#mm-prompt") && render());
window.addEventListener("mm-list-words", toggleList);
onNewPair(() => promptText() === read || render()); // a recipe that was opened brings another prompt
learn();
