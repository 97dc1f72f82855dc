// The third picture: asked for at a click, then again with every new pair, until it is put away.
const make = window.mmMake, place = element.querySelector(".mm-words-place");
let open = false, shown = "";

const button = () => document.querySelector("#mm-by-words");
const pair = () => document.querySelector("#mm-pictures figure[data-query]")?.dataset.query;

function follow() {
  const query = pair();
  if (!open || !query || query === shown) return;
  shown = query;
  if (!place.firstChild) fill(make("div", { class: "mm-third-picture mm-waiting" }));
  place.firstChild.setAttribute("aria-busy", "true");
  props.value = { query };
  trigger("ask");
}

function fill(picture, ...lines) {
  const tag = make("span", { class: "mm-tag mm-tag-before", "aria-hidden": "true" }, "by prompt");
  place.replaceChildren(make("figure", { class: "mm-third" }, make("div", { class: "mm-third-frame" }, picture, tag), make("figcaption", {}, make("div", { role: "status" }, ...lines))));
}

function toggle() {
  open = !open;
  shown = "";
  button().setAttribute("aria-pressed", String(open));
  if (open) follow();
  else place.replaceChildren();
}

watch("value", () => {
  const { query, picture, prompt, notes, read, wrong } = props.value ?? {};
  if (!open || query !== shown || !(picture || wrong)) return; // of a pair that is gone
  if (wrong) return fill(make("div", { class: "mm-third-picture" }), make("p", { class: "mm-problem" }, wrong));
  fill(make("img", { class: "mm-third-picture", src: picture, alt: `By prompt: ${prompt}` }),
    make("p", { class: "mm-reading" }, `By prompt, “${prompt}”${read ? `, the judge reads: ${read}` : ""}`),
    notes ? make("p", { class: "mm-note" }, notes) : null);
});

window.addEventListener("mm-words", toggle);
new MutationObserver(follow).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-query"] });
