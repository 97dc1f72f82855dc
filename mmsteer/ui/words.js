// The third picture: asked for at a click, then again with every new pair, until it is put away.
const place = element.querySelector(".mm-words-place");
let open = false, shown = "";

const button = () => document.querySelector("#mm-by-words");
const pair = () => document.querySelector("#mm-pictures figure[data-query]")?.dataset.query;

function part(tag, attributes, text = "") {
  return Object.assign(document.createElement(tag), attributes, text ? { textContent: text } : {});
}

function follow() {
  const query = pair();
  if (!open || !query || query === shown) return;
  shown = query;
  if (!place.firstChild) fill(part("div", { className: "mm-third-picture mm-waiting" }), []);
  place.firstChild.setAttribute("aria-busy", "true");
  props.value = { query };
  trigger("ask");
}

function fill(picture, lines) {
  const figure = part("figure", { className: "mm-third" }), frame = part("div", { className: "mm-third-frame" });
  const caption = part("figcaption", { role: "status" });
  frame.append(picture, part("span", { className: "mm-tag mm-tag-before", ariaHidden: "true" }, "by prompt"));
  caption.append(...lines);
  figure.append(frame, caption);
  place.replaceChildren(figure);
}

function toggle() {
  open = !open;
  shown = "";
  button().setAttribute("aria-pressed", String(open));
  if (open) follow();
  else place.replaceChildren();
}

watch("value", () => {
  const { picture, prompt, notes, read, wrong } = props.value ?? {};
  if (!open || !(picture || wrong)) return;
  if (wrong) return fill(part("div", { className: "mm-third-picture" }), [part("p", { className: "mm-problem" }, wrong)]);
  const image = part("img", { className: "mm-third-picture", src: picture, alt: `By prompt: ${prompt}` });
  fill(image, [
    part("p", { className: "mm-reading" }, `By prompt, “${prompt}”${read ? `, the judge reads: ${read}` : ""}`),
    ...(notes ? [part("p", { className: "mm-note" }, notes)] : []),
  ]);
});

window.addEventListener("mm-words", toggle);
new MutationObserver(follow).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-query"] });
