// The third picture, "the same thing by prompt": asked for at a click, then again with every new pair, until it is closed.
import { make, tag } from "../../shared/scripts/dom.js";
import { onNewPair, shownQuery } from "../../shared/scripts/pair.js";

const place = element.querySelector(".mm-words-place");
let open = false;
let shown = "";

function follow() {
  const query = shownQuery();
  if (!open || !query || query === shown) return;
  shown = query;
  ask();
}

// the prompt with the features' words, or what the visitor has typed in its place
function ask(prompt = "") {
  if (!place.firstChild) fillPlace(make("div", { class: "mm-third-picture mm-waiting" }));
  place.firstChild.setAttribute("aria-busy", "true");
  props.value = { query: shown, prompt };
  trigger("ask");
}

function fillPlace(picture, ...lines) {
  place.replaceChildren(make("figure", { class: "mm-third" },
    make("div", { class: "mm-third-frame" }, picture, tag("before", "by prompt")),
    make("figcaption", {}, make("div", { role: "status" }, ...lines))));
}

function toggle() {
  open = !open;
  shown = "";
  document.querySelector("#mm-by-words")?.setAttribute("aria-pressed", String(open));
  if (open) follow();
  else place.replaceChildren();
}

watch("value", () => {
  const { query, picture, prompt, notes, judged, error } = props.value ?? {};
  if (!open || query !== shown || !(picture || error)) return; // of a pair that is no longer shown
  if (error) return fillPlace(make("div", { class: "mm-third-picture" }), make("p", { class: "mm-problem" }, error));
  const reading = judged ? `What changed: ${judged}` : "";
  const field = make("input", {
    type: "text", class: "mm-link", maxlength: 2000, "aria-label": "the prompt typed instead; Enter draws it",
    onkeydown: (event) => event.key === "Enter" && field.value.trim() && ask(field.value.trim()),
  });
  field.value = prompt;
  fillPlace(make("img", { class: "mm-third-picture", src: picture, alt: `By prompt: ${prompt}` }),
    make("label", { class: "mm-typed-prompt" }, "By prompt ", field),
    make("p", { class: "mm-reading" }, reading),
    notes ? make("p", { class: "mm-note" }, notes) : null);
});

window.addEventListener("mm-words", toggle);
onNewPair(follow);
