// Favourites: recipes that this browser keeps, as a list (shared/scripts/recipe_list.js), and their small pictures beside it.
import { LARGEST_LIST, keep, kept, noRoom, readList, saveList, tidy } from "../../shared/scripts/recipe_list.js";

const LIST = "mmsteer-favourites";
const PICTURES = "mmsteer-favourite-pictures"; // query -> data URL; a file has none of them
const SIDE = 96; // pixels
const LONGEST_PICTURE = 20_000; // characters

export const favourites = () => kept(LIST);

export const isKept = (query, list = favourites()) => list.some((one) => one.query === query);

export function pictureOf(query) {
  try {
    const picture = JSON.parse(localStorage.getItem(PICTURES))?.[query];
    return typeof picture === "string" && picture.startsWith("data:image/jpeg;base64,") ? picture : "";
  } catch { // none are kept, or this browser keeps nothing
    return "";
  }
}

function keepPictures(add = {}) {
  const pictures = Object.fromEntries(favourites().map(({ query }) => [query, add[query] ?? pictureOf(query)]).filter(([, one]) => one));
  try {
    localStorage.setItem(PICTURES, JSON.stringify(pictures));
  } catch { // there is no room: the titles do
  }
}

async function small(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.getContext("2d").drawImage(image, 0, 0, SIDE, SIDE);
  const url = canvas.toDataURL("image/jpeg", 0.85);
  return url.length <= LONGEST_PICTURE ? url : "";
}

// A sentence if there is no room, else nothing.
export async function addFavourite({ query, title, picture }) {
  const recipe = { title: tidy(title, "title"), query, lesson: "" };
  const list = favourites();
  if (isKept(query, list)) return "";
  const problem = noRoom(list, recipe);
  if (problem) return problem;
  if (!keep(LIST, [recipe, ...list])) return "This browser keeps nothing, or has no room left: save the picture instead.";
  keepPictures({ [query]: await small(picture) });
  return "";
}

export function removeFavourite(query) {
  keep(LIST, favourites().filter((one) => one.query !== query));
  keepPictures();
}

export const saveFavourites = () => saveList("favourites.json", favourites());

// Add the favourites of a file, whatever it holds; a sentence on what became of them.
export async function openFavourites(file) {
  if (file.size > 4 * LARGEST_LIST) return `${file.name} is too large for a list of favourites.`; // bytes, at most four a character
  try {
    const { recipes, left } = readList(await file.text());
    const list = favourites();
    const more = recipes.filter(({ query }, k) => !list.some((one) => one.query === query)
      && recipes.findIndex((one) => one.query === query) === k);
    const taken = more.filter((recipe) => !noRoom(list, recipe) && list.push(recipe));
    if (!keep(LIST, list)) return "This browser keeps nothing.";
    const without = more.length > taken.length ? `There was no room for ${more.length - taken.length}.` : "";
    return [`${taken.length} favourites added.`, without, ...left].filter(Boolean).join(" ");
  } catch (error) {
    return `${file.name}: ${error.message}.`;
  }
}
