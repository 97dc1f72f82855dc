// Fool the eye: a picture, the same picture attacked, their difference, and what CLIP says of both.
// The component's value is the question, {number, prompt, seed, budget, scope}, then the answer: {opened}, {attacked} or {error}.
import { chip, make, pressed, tag } from "../../shared/scripts/dom.js";
import { choice, featureChip, missing, problem } from "./controls.js";
import { answerList } from "./answers.js";

const state = { prompt: props.offered[0], seed: 3, budget: 4, scope: "cross" };
let number = 0;
let asked = null; // the state that is on its way, as JSON
let done = null; // the state that is shown, or could not be
let open = false;
let removed = false; // whether CLIP compares without the attacked features
let answer = null;

const error = problem();
const place = make("div", { class: "mm-eye-result" });
const about = make("p", { class: "mm-lead-in" });
const verdict = make("p", { class: "mm-reading", role: "status" });
const prompt = make("input", {
  type: "text", class: "mm-eye-prompt", maxlength: 2000, "aria-label": "prompt of the picture",
  onchange: () => set({ prompt: prompt.value }),
});
const another = chip("⚄ Another", () => set({ seed: (state.seed + 1) % props.largest }), { title: "the same prompt from other noise" });
const offers = choice("Picture of", new Map(props.offered.map((text) => [text, text])), (text) => set({ prompt: text }));
const budgets = choice("Each value may move by", new Map(props.budgets.map((budget) => [budget, `${budget} of 255`])),
  (budget) => set({ budget }));
const scopes = choice("Attack through", new Map(Object.entries(props.scopes)), (scope) => set({ scope }));
const remove = chip("", () => {
  removed = !removed;
  render();
}, { class: "mm-chip mm-eye-remove" });

function set(change) {
  Object.assign(state, change);
  error.say("");
  render();
  follow();
}

// one question at a time, and always of the newest state
function follow() {
  const wanted = JSON.stringify(state);
  if (!open || asked || wanted === done) return;
  asked = wanted;
  place.setAttribute("aria-busy", "true");
  props.value = { number: ++number, ...state };
  trigger("attack");
}

function figure({ title, src, alt, file }) {
  return make("figure", { class: "mm-eye-picture" },
    make("div", { class: "mm-tile" }, make("img", { src, alt }), tag("before", title)),
    file ? make("a", { class: "mm-chip", href: file.data, download: file.name }, `Save ${title}`) : null);
}

function movedFeatures() {
  const chips = answer.moved.map((one) => featureChip(one, `${one.before.toFixed(1)} → ${one.after.toFixed(1)}`));
  return make("section", { class: "mm-answers", "aria-label": "Features that moved most" },
    make("h3", {}, "Features that moved most"), make("div", { class: "mm-chips" }, ...chips));
}

function render() {
  prompt.value = state.prompt;
  offers.show(state.prompt);
  budgets.show(state.budget);
  scopes.show(state.scope);
  const whole = state.scope === "all"; // nothing would be left to compare by
  remove.textContent = `Compare without the ${whole ? "attacked" : props.scopes[state.scope]}`;
  remove.disabled = whole || !answer;
  remove.setAttribute("aria-pressed", pressed(removed && !whole));
  if (answer) show();
}

function show() {
  const without = removed && answer.answers.without;
  const { before, after } = without || answer.answers.all;
  const right = answer.answers.all.before[0][0];
  verdict.textContent = without ? answer.defence : answer.verdict;
  place.replaceChildren(
    ...answer.pictures.map(figure),
    answerList("Of the picture, CLIP says", before, right),
    answerList("Of the attacked picture, CLIP says", after, right),
    movedFeatures());
  about.textContent = [answer.about, answer.unknown].filter(Boolean).join(". ");
}

function answered() {
  const { opened, attacked, error: sentence, number: of } = props.value ?? {};
  if (open && asked && of === number && (attacked || sentence)) {
    done = asked;
    asked = null;
    place.removeAttribute("aria-busy");
    if (attacked) answer = attacked;
    error.say(sentence);
    render();
  } else if (!open && opened) open = true;
  else if (!open && sentence) return missing(sentence);
  follow();
}

element.querySelector(".mm-use").replaceChildren(
  make("h2", {}, props.title),
  make("p", { class: "mm-lead-in" }, "CLIP's eye can be fooled by changes that yours does not see. The attack moves the picture "
    + "away from its own caption, through the features of one class, in ten steps."),
  offers.node,
  make("div", { class: "mm-chips" }, make("span", { class: "mm-lead-in" }, "or of"), prompt, another),
  budgets.node, scopes.node, error.node,
  make("div", { class: "mm-chips" }, remove), verdict, about, place);
watch("value", answered);
render();
answered();
