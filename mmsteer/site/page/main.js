// The static edition: the views, and what goes from one to another. Explore is a script of its own.
import "./server.js";
import { DRAWN, readAddress, show } from "./state.js";
import { buildSteer } from "./steer.js";
import { buildTalk } from "./talk.js";
import { buildViews, showView } from "./views.js";

const dark = document.querySelector("#mm-dark");

function setDark(on) {
  document.documentElement.classList.toggle("dark", on);
  dark.setAttribute("aria-pressed", String(on));
}

setDark(matchMedia("(prefers-color-scheme: dark)").matches);
dark.addEventListener("click", () => setDark(!document.documentElement.classList.contains("dark")));

readAddress();
buildSteer(document.querySelector("#view-steer"));
buildViews();
buildTalk();
window.addEventListener("hashchange", () => {
  readAddress();
  show({});
});

// a card offers its feature for the picture where that was drawn
const undrawn = DRAWN.map((f) => `:not([data-mm-add="${f.id}"])`).join("");
document.head.append(Object.assign(document.createElement("style"), { textContent: `[data-mm-add]${undrawn} { visibility: hidden; }` }));
document.addEventListener("click", ({ target }) => {
  const offer = target.closest?.("[data-mm-add]");
  const feature = offer && DRAWN.find((f) => f.id === Number(offer.dataset.mmAdd));
  if (!feature) return;
  show({ feature, strength: 1 });
  showView("steer");
  scrollTo(0, 0);
});
