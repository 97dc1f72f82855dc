// The button "Draw" shows while the prompt, the seed or the negative prompt is another than that of the pair that is shown.
import { onNewPair, shownQuery } from "../../shared/scripts/pair.js";

const DRAWN_FROM = "#mm-prompt, #mm-seed, #mm-negative-prompt";
const spaced = (text) => text.trim().replace(/\s+/g, " ");
const field = (id) => document.querySelector(`${id} textarea, ${id} input`);
// a field of the options is not there until they are opened: nobody can have changed it
const isSame = (id, text) => !field(id) || spaced(field(id).value) === text;

function isDrawn() {
  const query = shownQuery();
  if (!query) return false;
  const shown = new URLSearchParams(query);
  return isSame("#mm-prompt", shown.get("prompt")) && isSame("#mm-seed", shown.get("seed"))
    && isSame("#mm-negative-prompt", shown.get("negative_prompt") ?? "");
}

const compare = () => document.body.classList.toggle("mm-all-drawn", isDrawn());

document.addEventListener("input", (event) => event.target.closest?.(DRAWN_FROM) && compare());
onNewPair(compare);
