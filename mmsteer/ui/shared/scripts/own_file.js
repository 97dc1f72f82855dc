// A picture without a recipe that is opened, or dropped anywhere, is one to edit: it goes to the visitor's own picture. A PNG with a
// recipe goes on to where recipes are opened.
import { IS_READ } from "./recipe_file.js";

const KEYS = ["mmsteer\0", "parameters\0"]; // of the texts of a PNG that hold a recipe

async function carriesRecipe(file) {
  if (file.type !== "image/png") return false;
  const bytes = new TextDecoder("latin1").decode(await file.arrayBuffer());
  return KEYS.some((key) => bytes.includes(key));
}

document.addEventListener("change", async (event) => {
  const field = event.target;
  const file = field.files?.[0];
  if (event.detail === IS_READ || !field.matches?.("#mm-under input[type=file]") || !file?.type.startsWith("image/")) return;
  event.stopImmediatePropagation();
  if (await carriesRecipe(file)) {
    field.dispatchEvent(new CustomEvent("change", { bubbles: true, detail: IS_READ }));
  } else {
    window.dispatchEvent(new CustomEvent("mm-own-file", { detail: file }));
    field.value = "";
  }
}, true);
