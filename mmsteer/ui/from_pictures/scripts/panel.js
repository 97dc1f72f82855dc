// A slider from pictures: two groups of them, a name, and the slider goes to the rack.
// The component's value is the question, {number, file} by `read` or {title, shown, not_shown} by `make`; then the answer: {read, number},
// {made} or {error}, with the number of a picture if it is about one.
import { chip, make } from "../../shared/scripts/dom.js";
import { connect, groups, isReady, learn } from "./groups.js";

const section = element.querySelector(".mm-from-pictures");
const title = make("input", {
  type: "text", maxlength: props.longest, oninput: review,
  placeholder: "what the first show: dusk, my dog …", "aria-label": "name of the slider",
  onkeydown: (event) => event.key === "Enter" && !build.disabled && send(),
});
const build = chip("Make the slider", send, { class: "mm-chip mm-build" });
const status = make("p", { class: "mm-panel-status", role: "status" });
const hint = `${props.fewest} to ${props.most} pictures each, of at most ${props.largest / 2 ** 20} MB, PNG, JPEG or WebP. `
  + `The more alike both groups are in all else, `
  + "the purer the slider. CLIP reads each picture once; the files are deleted within minutes.";

function say(text) {
  status.textContent = text;
}

function ask(event, question) {
  props.value = question;
  trigger(event);
}

function review() {
  build.disabled = !title.value.trim() || !isReady();
}

function send() {
  const [shown, notShown] = groups.map((group) => group.pictures.map((picture) => picture.embedding));
  say("Making the slider …");
  ask("make", { title: title.value, shown, not_shown: notShown });
}

function open(yes) {
  section.hidden = !yes;
  if (!yes) return;
  section.scrollIntoView({ block: "nearest" });
  title.focus({ preventScroll: true });
}

watch("value", () => {
  const { made, error, number } = props.value ?? {};
  if (number !== undefined) learn(props.value);
  else if (error) say(error);
  else if (made) {
    window.dispatchEvent(new CustomEvent("mm-typed", { detail: { made } }));
    say(`${made.name} is among the active features.`);
  }
});
window.addEventListener("mm-from-pictures", () => open(true));
connect({ ask, say, review });
section.replaceChildren(
  make("div", { class: "mm-panel-bar" }, make("h2", {}, "A slider from pictures"), title, build,
    chip("Close", () => open(false), { class: "mm-chip mm-close" })),
  make("div", { class: "mm-groups" }, ...groups.map((group) => group.place)),
  status, make("p", { class: "mm-lead-in" }, hint));
review();
