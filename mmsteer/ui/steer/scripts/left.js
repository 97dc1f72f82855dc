// In a row's options: how much of the effect is left on these words and in these steps alone. Asked for by a button, or by itself
// where pictures are live; what was said holds until the next pair.
import { chip, make } from "../../shared/scripts/dom.js";
import { onNewPair, shownQuery } from "../../shared/scripts/pair.js";

const said = new Map(); // id of a row -> what was said of it
const asked = new Map(); // id of a row -> the query of the pair that it was asked for
let ofPair = "";

const isNarrow = (row) => row.words.length > 0 || row.start > 0 || row.end < 1;
const isLive = () => Boolean(document.querySelector("#mm-status[data-live]"));
const placeOf = (id) => [...element.querySelectorAll(".mm-what-is-left")].find((place) => place.dataset.id === String(id));

function askFor(id) {
  asked.set(id, shownQuery());
  say(placeOf(id), id);
  window.dispatchEvent(new CustomEvent("mm-ask-part", { detail: id }));
}

function say(place, id) {
  if (!place) return;
  const answer = said.get(id);
  place.classList.toggle("mm-little-left", Boolean(answer?.little));
  place.replaceChildren(answer ? answer.sentence : asked.get(id) === shownQuery() ? "Measuring how much is left…"
    : chip("How much of it is left?", () => askFor(id), {
      title: "draws this feature alone, on these words and steps, and on all of them",
    }));
}

export function leftOver(row) {
  if (!isNarrow(row) || !row.on) return null;
  const place = make("p", { class: "mm-what-is-left", role: "status", "data-id": row.id });
  say(place, row.id);
  return place;
}

window.addEventListener("mm-part", ({ detail }) => {
  said.set(detail.id, detail);
  say(placeOf(detail.id), detail.id);
});

onNewPair(() => {
  if (shownQuery() === ofPair) return;
  ofPair = shownQuery();
  said.clear();
  asked.clear();
  const places = [...element.querySelectorAll(".mm-what-is-left")];
  const ids = places.map((place) => (/^\d+$/.test(place.dataset.id) ? +place.dataset.id : place.dataset.id));
  ids.forEach((id) => say(placeOf(id), id));
  if (ids.length && isLive()) askFor(ids[0]);
});
