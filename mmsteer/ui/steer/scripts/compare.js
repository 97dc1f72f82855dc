// Before and after: the border between them, the ways to compare, and saving. Listens for the whole page, as pairs come and go.
import { showHeat } from "./heat.js";

let cut = 50; // percent; a new pair keeps the border where the visitor has put it
let menuIsOpen = false; // by the visitor; a new pair keeps the menu too: it must not vanish under a hand that reaches for it

const isPair = (figure) => Boolean(figure?.matches("[data-query], [data-ahead]"));
const pictures = () => document.querySelector("#mm-pictures");

// The border is a property of the pair's parent: gradio restores the pair's own attributes with every update.
const place = (figure) => figure.parentElement.style.setProperty("--cut", `${cut}%`);

function markView() {
  const chosen = pictures().dataset.view ?? "slide";
  pictures().querySelector("#mm-figures").setAttribute("aria-pressed", String(document.body.classList.contains("mm-with-figures")));
  for (const view of pictures().querySelectorAll("[data-view]")) view.setAttribute("aria-pressed", String(view.dataset.view === chosen));
}

function compareBy() {
  if (pictures().dataset.view === "difference") showHeat(pictures().querySelector("figure:has(.mm-after)"));
}

function save(which) {
  const picture = pictures().querySelector(`.mm-${which}`);
  const words = picture.alt.replace(/^\w+: /, "").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60);
  const link = document.createElement("a");
  Object.assign(link, { href: picture.src, download: `${words}-${which}.png` });
  link.click();
}

document.addEventListener("input", ({ target }) => {
  const figure = target.closest(".mm-compare");
  if (!isPair(figure) || target.type !== "range") return;
  cut = target.value;
  place(figure);
});

// `load` does not bubble
document.addEventListener("load", ({ target }) => {
  const figure = target.closest?.(".mm-compare");
  if (!isPair(figure) || !target.matches(".mm-after")) return;
  place(figure);
  figure.querySelector("input").value = cut;
  menu().open = menuIsOpen;
  markView();
  compareBy();
}, true);

const menu = () => pictures().querySelector(".mm-menu");

function closeMenu() {
  menuIsOpen = false;
  menu()?.removeAttribute("open");
}

// gradio has closed it with an update; `toggle` does not bubble either
document.addEventListener("toggle", ({ target }) => {
  if (target.matches?.("#mm-pictures .mm-menu")) target.open = menuIsOpen;
}, true);

function choose(button) {
  const { view, save: which } = button.dataset;
  if (view) pictures().dataset.view = view;
  if (view) compareBy();
  if (which) save(which);
  if (button.id === "mm-figures") document.body.classList.toggle("mm-with-figures");
  if (button.id === "mm-only-here") window.dispatchEvent(new CustomEvent("mm-region", { detail: "draw" }));
  if (button.id === "mm-by-words") window.dispatchEvent(new CustomEvent("mm-words"));
  markView();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.(".mm-menu button");
  if (button) choose(button);
  if (target.closest?.(".mm-everywhere")) window.dispatchEvent(new CustomEvent("mm-region", { detail: "everywhere" }));
  if (target.closest?.("#mm-pictures .mm-menu summary")) menuIsOpen = !menu().open; // it opens or closes after this
  else if (menuIsOpen && (button || !menu()?.contains(target))) closeMenu();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menuIsOpen) return;
  event.stopPropagation();
  closeMenu();
  menu()?.querySelector("summary").focus();
});
