// Before and after: the border between them, and the ways to compare. Listens for the whole page, as pairs come and go.
let cut = 50; // percent; a new pair keeps the border where the visitor has put it

const isPair = (figure) => Boolean(figure?.dataset.query);

// The border is a property of the pair's parent: gradio restores the pair's own attributes with every update.
const place = (figure) => figure.parentElement.style.setProperty("--cut", `${cut}%`);

document.addEventListener("input", ({ target }) => {
  const figure = target.closest(".mm-compare");
  if (!isPair(figure)) return;
  cut = target.value;
  place(figure);
});

// `load` does not bubble
document.addEventListener("load", ({ target }) => {
  const figure = target.closest?.(".mm-compare");
  if (!isPair(figure) || !target.matches(".mm-after")) return;
  place(figure);
  figure.querySelector("input").value = cut;
}, true);

document.addEventListener("click", ({ target }) => {
  const view = target.closest?.("#mm-under [data-view]");
  if (view) {
    for (const other of view.parentElement.children) other.setAttribute("aria-pressed", String(other === view));
    document.querySelector("#mm-pictures").dataset.view = view.dataset.view;
  }
  if (target.closest?.("#mm-by-words")) window.dispatchEvent(new CustomEvent("mm-words"));
});
