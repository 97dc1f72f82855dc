// The active features: rows with their sliders, and the search that adds to them. Runs in the component's own element.
import { make } from "../../shared/scripts/dom.js";
import { add, forget, know, publish, put, rack, replaceAll, setPresent, zero } from "./rows.js";
import { complain, empty, offers, renderFilters, renderOffers } from "./offers.js";
import { renderMasters } from "./masters.js";
import { rowElement } from "./row.js";
import { surprise } from "./surprise.js";

const list = make("ol", { class: "mm-rows", "aria-label": "active features" });
const COMMANDS = { surprise, zero, show: renderMasters };

export function render() {
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const none = [make("li", { class: "mm-empty" }, "No feature yet: add one below.")];
  list.replaceChildren(...(rack.rows.length ? rack.rows.map(rowElement) : none));
  renderMasters();
  renderFilters();
  renderOffers();
  publish(false);
  if (focused) [...element.querySelectorAll("[aria-label]")].find((other) => other.getAttribute("aria-label") === focused)?.focus();
}

element.querySelector(".mm-rack").replaceChildren(make("h2", { class: "mm-lead-in" }, "Active features"), list, ...offers);
watch("value", replaceAll); // another rack, for which a pair is drawn
watch("breaks", render); // these two are
watch("phases", render); // known once the model has loaded, perhaps after a row was opened
watch("words", render);
window.addEventListener("mm-add", (event) => add(event.detail.id, event.detail.strength));
window.addEventListener("mm-typed", ({ detail: { made, error } }) => {
  if (!made) return complain(error);
  know(made);
  empty();
  add(made.id);
});
window.addEventListener("mm-set", (event) => put(event.detail));
window.addEventListener("mm-command", (event) => COMMANDS[event.detail]?.());
window.addEventListener("mm-forget", (event) => forget(event.detail));
window.addEventListener("mm-present", (event) => setPresent(event.detail));
render();
