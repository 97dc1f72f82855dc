// For the whole page: loaded once, before any component.
import "./prompt/scripts/height.js";
import "./prompt/scripts/undrawn.js";
import "./shared/scripts/drop.js";
import "./shared/scripts/own_file.js";
import "./shared/scripts/recipe_file.js";
import "./shared/scripts/tabs.js";
import "./steer/scripts/compare.js";

// The first example is in the page as it is sent; a link to another recipe does not flash it.
if (new URLSearchParams(location.search).has("prompt")) document.documentElement.classList.add("mm-linked");

// Whatever offers a feature, anywhere on the page, puts it into the rack in the same way.
document.addEventListener("click", (event) => {
  const offer = event.target.closest?.("[data-mm-add]");
  if (!offer) return;
  const detail = { id: Number(offer.dataset.mmAdd), strength: Number(offer.dataset.mmStrength ?? 1) };
  window.dispatchEvent(new CustomEvent("mm-add", { detail }));
});

// Enter in the seed field leaves it: only then gradio reads the number.
document.addEventListener("keyup", (event) => {
  const field = event.target;
  if (field instanceof HTMLInputElement && field.type === "number" && event.key === "Enter") {
    field.blur();
    field.focus();
  }
});
