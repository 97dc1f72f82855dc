// What is shown: a feature, a prompt and a strength, which are the page's address, too.
import { inAddress, putIntoAddress } from "./address.js";

const FIRST = { feature: "night", strength: 1 };
const drawn = new Set(props.drawn);

export const STRENGTHS = props.strengths;
export const PROMPTS = props.prompts;
export const DRAWN = props.features.filter((f) => drawn.has(f.id));
export const shown = { feature: null, prompt: 0, strength: 0 };

const reactions = [];
export const onShown = (react) => reactions.push(react);

const nearest = (value) => STRENGTHS.reduce((best, s) => (Math.abs(s - value) < Math.abs(best - value) ? s : best));
const number = (text, otherwise) => (text !== null && text.trim() !== "" && Number.isFinite(+text) ? +text : otherwise);

export function readAddress() {
  const named = (name) => DRAWN.find((f) => f.name.toLowerCase() === String(name).toLowerCase());
  shown.feature = named(inAddress("feature")) ?? shown.feature ?? named(FIRST.feature) ?? DRAWN[0];
  // links count prompts from 1
  shown.prompt = Math.min(PROMPTS.length, Math.max(1, Math.round(number(inAddress("prompt"), shown.prompt + 1)))) - 1;
  shown.strength = nearest(number(inAddress("strength"), FIRST.strength));
}

export function show(change) {
  Object.assign(shown, change);
  putIntoAddress("feature", shown.feature.name);
  putIntoAddress("prompt", shown.prompt + 1);
  putIntoAddress("strength", shown.strength);
  for (const react of reactions) react();
}
