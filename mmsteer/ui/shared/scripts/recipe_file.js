// A file that is opened, or dropped, and holds a list of recipes never reaches the server: whoever keeps lists hears of it, by the
// event "mm-recipes" with {name, recipes, left} or {name, error}. Any other file goes on to the server.
import { LARGEST_LIST, isList, readList } from "./recipe_list.js";

export const IS_READ = "is read"; // marks the event that goes on

function answer(name, text) {
  try {
    return { name, ...readList(text) };
  } catch (error) {
    return { name, error: error.message };
  }
}

document.addEventListener("change", async (event) => {
  const field = event.target;
  const file = field.files?.[0];
  if (event.detail === IS_READ || !field.matches?.("#mm-under input[type=file]")) return;
  if (!/\.json$/i.test(file?.name) || file.size > 4 * LARGEST_LIST) return; // bytes, at most four a character
  event.stopImmediatePropagation();
  const text = await file.text();
  if (isList(text)) {
    window.dispatchEvent(new CustomEvent("mm-recipes", { detail: answer(file.name, text) }));
    field.value = "";
  } else {
    field.dispatchEvent(new CustomEvent("change", { bubbles: true, detail: IS_READ }));
  }
}, true);
