// A list of recipes, {title, query, lesson} each: as the browser keeps it, and as a file. A file is hostile: this checks its shape
// and its limits. Each recipe is then checked by the server, like any link.
import { make } from "./dom.js";

const MARK = "recipes";
const VERSION = 1;
const FIELDS = { title: 120, lesson: 400, query: 180_000 }; // characters, at most: of a query as many as the server reads
const MOST = 60; // recipes
export const LARGEST_LIST = 1_000_000; // characters of a list as a file: browsers keep about five times as many

const inWords = (count) => count.toLocaleString("en");

// text in one line, without control characters and cut to its limit
export const tidy = (text, field) => text.replace(/[\p{Cc}\p{Cs}\s]+/gu, " ").trim().slice(0, FIELDS[field]);

const isRecipe = (value) => value !== null && typeof value === "object"
  && ["title", "query"].every((field) => typeof value[field] === "string") && ["string", "undefined"].includes(typeof value.lesson)
  && value.query.length <= FIELDS.query;

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// whether a file says that it is such a list, right or wrong
export const isList = (text) => parsed(text)?.mmsteer === MARK;

// The recipes of a file, and a sentence about each part of it that is left out. Throws an error with a sentence for a file of
// another form.
export function readList(text) {
  if (text.length > LARGEST_LIST) throw new Error(`the list has ${inWords(text.length)} characters; ${inWords(LARGEST_LIST)} are allowed`);
  const value = parsed(text);
  if (value?.mmsteer !== MARK || !Array.isArray(value.recipes)) {
    throw new Error("this file is no list of recipes: give one that this page saved");
  }
  if (value.version !== VERSION) {
    throw new Error(`the list has version ${JSON.stringify(value.version)?.slice(0, 20)}; this page reads version ${VERSION}`);
  }
  const left = value.recipes.flatMap((one, k) => (isRecipe(one) ? [] : [`Recipe ${k + 1} of the list cannot be read and is left out.`]));
  const recipes = value.recipes.filter(isRecipe).map(({ title, query, lesson = "" }) =>
    ({ title: tidy(title, "title"), query, lesson: tidy(lesson, "lesson") }));
  if (recipes.length > MOST) left.push(`The list has ${recipes.length} recipes: the first ${MOST} are taken.`);
  return { recipes: recipes.slice(0, MOST), left: left.slice(0, 5) };
}

export const writeList = (recipes) => JSON.stringify({ mmsteer: MARK, version: VERSION, recipes }, null, 2);

// A sentence on why one more recipe does not fit; empty if it does.
export function noRoom(recipes, another) {
  if (recipes.length >= MOST) return `There are ${recipes.length} recipes, as many as may be kept: take one out first.`;
  const length = writeList([...recipes, another]).length;
  if (length <= LARGEST_LIST) return "";
  return `This recipe has ${inWords(another.query.length)} characters. With it there would be ${inWords(length)}, and `
    + `${inWords(LARGEST_LIST)} may be kept: take out recipes with a picture of your own, which are the longest.`;
}

// The list that this browser keeps under a name; empty where there is none, or none that can be read.
export function kept(name) {
  try {
    return readList(localStorage.getItem(name)).recipes;
  } catch { // nothing is kept, or this browser keeps nothing
    return [];
  }
}

// Keep a list; false if this browser does not.
export function keep(name, recipes) {
  try {
    localStorage.setItem(name, writeList(recipes));
    return true;
  } catch {
    return false;
  }
}

export function saveList(file, recipes) {
  const address = URL.createObjectURL(new Blob([writeList(recipes)], { type: "application/json" }));
  make("a", { href: address, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
