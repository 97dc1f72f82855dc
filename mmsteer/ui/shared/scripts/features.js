// Features as every tab shows them: shape, label, badge, and the order of search results.
import { make } from "./dom.js";

const SHAPES = props.shapes;

export const LABELS = props.labels; // what visitors read for a modality
export const MODALITIES = Object.keys(SHAPES);

export const shape = (modality, attributes = {}) => make("span", { "aria-hidden": "true", ...attributes }, SHAPES[modality]);

export const inkShape = (modality) => shape(modality, { class: `mm-ink-${modality}` });

// the score is a place between words, on the left, and pictures, on the right
export function badge(feature) {
  const scale = make("span", { class: "mm-scale", "aria-hidden": "true" }, make("i", { style: `left:${100 * feature.mds}%` }));
  const attributes = { class: `mm-badge mm-${feature.modality}`, title: feature.scoreTooltip };
  return make("span", attributes, shape(feature.modality), ` ${LABELS[feature.modality]} `, scale);
}

export const matches = (feature, text) =>
  feature.name.toLowerCase().includes(text) || feature.words.some((word) => word.includes(text));

// names that start with the text, then names that contain it, then the other matches
export function byMatch(text) {
  const rank = ({ name }) => (name.toLowerCase().startsWith(text) ? 0 : name.toLowerCase().includes(text) ? 1 : 2);
  return (a, b) => rank(a) - rank(b) || a.id - b.id;
}

// one of each modality in turn, so that a first look shows some of all
export function inTurn(features) {
  const groups = MODALITIES.map((modality) => features.filter((feature) => feature.modality === modality));
  return features.flatMap((_, k) => groups.map((group) => group[k])).filter(Boolean);
}
