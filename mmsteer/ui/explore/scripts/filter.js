// Which features fit what the visitor asks for, and in which order.
import { byMatch, inTurn, matches } from "../../shared/scripts/features.js";
import { field } from "./search.js";
import { state } from "./state.js";

export const BARS = 20; // of the histogram

export const CONFIDENCES = [
  ["any name", () => true],
  ["with a name", (f) => f.named],
  ["name confidence above 0.8", (f) => f.nameConfidence > 0.8],
  ["name confidence above 0.95", (f) => f.nameConfidence > 0.95],
];

export const RATES = [
  ["any rate", () => true],
  ["rare: below 2 %", (f) => f.rate < 0.02],
  ["2 to 20 %", (f) => f.rate >= 0.02 && f.rate <= 0.2],
  ["often: above 20 %", (f) => f.rate > 0.2],
];

export const barOf = (f) => Math.min(BARS - 1, Math.floor(f.mds * BARS));

export const searchText = () => field.value.trim().toLowerCase();

function matchesSearch(f) {
  if (state.by === "meaning") return !state.similarity || state.similarity.has(f.id);
  return matches(f, searchText());
}

// all filters but the histogram's own
export function fitsOthers(f) {
  if (state.onlyPicked && !state.picked.has(f.id)) return false;
  return (state.modality === "all" || f.modality === state.modality)
    && CONFIDENCES[state.confidence][1](f) && RATES[state.rate][1](f) && matchesSearch(f);
}

export const fits = (f) => (state.bar === null || barOf(f) === state.bar) && fitsOthers(f);

export function ranked() {
  const fitting = state.features.filter(fits);
  const { similarity } = state;
  if (similarity) return fitting.sort((a, b) => similarity.get(b.id) - similarity.get(a.id));
  fitting.sort(byMatch(searchText()));
  return searchText() || state.modality !== "all" ? fitting : inTurn(fitting);
}
