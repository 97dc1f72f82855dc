// The visitor's own talk, kept in this browser: a list of recipes with titles and notes, in an order; added to by the menu of the picture,
// saved and opened as one JSON. The component's value is the question, {queries}, then the answer: {recipes} or {error}.
import { chip, make } from "../../shared/scripts/dom.js";
import { badge } from "../../shared/scripts/features.js";
import { shownQuery } from "../../shared/scripts/pair.js";
import { keep, kept, noRoom, saveList, tidy } from "../../shared/scripts/recipe_list.js";

const NAME = "mmsteer-talk";
const CHECKED = 180_000; // characters of recipes that are sent to the server together
const place = element.querySelector(".mm-own-talk");
const known = new Map(); // by query, what the server says of a recipe
let recipes = kept(NAME);
let offered = null; // a list that was opened, and waits for a yes: {name, recipes, left}
let said = []; // sentences for the visitor
let isOpen = false;

// talk mode reads it: only what can be shown
function publish() {
  window.mmTalk = recipes.filter(({ query }) => known.get(query) && !known.get(query).error)
    .map(({ title, lesson, query }) => ({ ...known.get(query), title, lesson, query }));
}

// the server reads so many characters at once: it is asked again once it has answered
function check() {
  const unknown = recipes.map(({ query }) => query).filter((query) => !known.has(query));
  let length = 0;
  const queries = unknown.filter((query, k) => (length += query.length) <= CHECKED || k === 0);
  if (!queries.length) return;
  props.value = { queries };
  trigger("check");
}

function changed(next, ...sentences) {
  recipes = next;
  said = sentences;
  if (!keep(NAME, recipes)) said.push("This browser keeps nothing for this page: save the talk as JSON before you leave.");
  publish();
  check();
  render();
}

function add() {
  const recipe = { title: "", query: shownQuery(), lesson: "" };
  if (!recipe.query) return;
  isOpen = true;
  const problem = noRoom(recipes, recipe);
  if (problem) {
    said = [problem];
    return render();
  }
  changed([...recipes, recipe], `Added to your talk as step ${recipes.length + 1}.`);
}

function swap(one, other) {
  const next = [...recipes];
  [next[one], next[other]] = [next[other], next[one]];
  changed(next);
  place.querySelectorAll(".mm-own-step")[other]?.querySelector(other < one ? ".mm-up" : ".mm-down")?.focus();
}

function field(recipe, name, placeholder, number) {
  const input = make("input", {
    type: "text", placeholder, "aria-label": `${name === "title" ? "title" : "note"} of step ${number}`,
    onchange: () => {
      recipe[name] = tidy(input.value, name); // the panel stays: the next field may have the focus already
      keep(NAME, recipes);
      publish();
    },
  });
  input.value = recipe[name];
  return input;
}

function button(text, label, kind, onclick, disabled = false) {
  return make("button", { type: "button", class: `mm-mini ${kind}`, "aria-label": label, title: label, disabled, onclick }, text);
}

function stepElement(recipe, k) {
  const about = known.get(recipe.query);
  const say = (sentence) => make("p", { class: "mm-note" }, sentence);
  const problems = about?.error ? [`This step is skipped: ${about.error}`] : (about?.notes ?? []);
  return make("li", { class: "mm-own-step" },
    make("div", { class: "mm-title" },
      field(recipe, "title", about?.title ?? "title", k + 1),
      button("↑", `step ${k + 1}: earlier`, "mm-up", () => swap(k, k - 1), k === 0),
      button("↓", `step ${k + 1}: later`, "mm-down", () => swap(k, k + 1), k === recipes.length - 1),
      button("✕", `step ${k + 1}: take it out`, "mm-out", () => changed(recipes.filter((other) => other !== recipe)))),
    field(recipe, "lesson", "note, shown below the title", k + 1),
    make("div", { class: "mm-own-about" }, ...(about?.features ?? []).flatMap((one) => [make("span", {}, one.name), badge(one)]),
      about?.prompt ? make("span", {}, `“${about.prompt}”`) : null),
    ...problems.map(say));
}

function offer() {
  if (!offered) return null;
  const take = () => {
    const { recipes: next, left } = offered;
    offered = null;
    isOpen = true;
    changed(next, ...left);
  };
  const drop = () => {
    offered = null;
    render();
  };
  return make("div", { class: "mm-note", role: "status" }, `${offered.name} holds ${offered.recipes.length} recipes. `,
    chip(recipes.length ? "Use it in place of my talk" : "Use it as my talk", take, { id: "mm-own-take" }), chip("No", drop));
}

function panel() {
  if (!recipes.length) return null;
  const details = make("details", { class: "mm-own-panel", open: isOpen, ontoggle: () => (isOpen = details.open) },
    make("summary", {}, `My talk · ${recipes.length} ${recipes.length === 1 ? "step" : "steps"}`),
    make("ol", {}, ...recipes.map(stepElement)),
    make("div", { class: "mm-chips" },
      chip("▶ Start", () => {}, { id: "mm-own-start", disabled: !window.mmTalk.length }),
      chip("Save as JSON", () => saveList("mmsteer-talk.json", recipes)),
      chip("Remove all", () => changed([]))));
  return details;
}

function render() {
  const messages = said.map((sentence) => make("p", { class: "mm-try", role: "status" }, sentence));
  place.replaceChildren(...[offer(), ...messages, panel()].filter(Boolean));
}

watch("value", () => {
  const { recipes: answers, error } = props.value ?? {};
  if (error) said = [error];
  for (const { query, ...about } of answers ?? []) known.set(query, about);
  for (const recipe of recipes) recipe.title ||= known.get(recipe.query)?.title ?? "";
  keep(NAME, recipes);
  publish();
  render();
  if (answers?.length) check();
});

window.addEventListener("mm-recipes", ({ detail: { name, recipes: list, left, error } }) => {
  offered = error ? null : { name, recipes: list, left };
  said = error ? [`${name}: ${error}`] : [];
  render();
});

document.addEventListener("click", ({ target }) => target.closest?.("#mm-own-add") && add());
publish();
check();
render();
