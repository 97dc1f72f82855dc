// What covers the pictures of the pair for a while: live frames, and previews of the next pair. The pair comes back unless another
// takes its place.
import { shownFigure, shownQuery } from "../../shared/scripts/pair.js";

let covered = null; // {query, pictures: {before: {src, alt}, after: …}}

// `which` is before or after; `picture` has the properties of an image that change
export function cover(which, picture, isPreview = false) {
  const image = shownFigure()?.querySelector(`.mm-${which}`);
  if (!image) return;
  if (covered?.query !== shownQuery()) covered = { query: shownQuery(), pictures: {} };
  covered.pictures[which] ??= { src: image.src, alt: image.alt };
  Object.assign(image, picture);
  image.toggleAttribute("data-preview", isPreview);
}

export function uncover() {
  const figure = shownFigure();
  const isShown = covered && figure?.dataset.query === covered.query;
  for (const [which, picture] of Object.entries(isShown ? covered.pictures : {})) {
    const image = figure.querySelector(`.mm-${which}`);
    Object.assign(image, picture);
    image.removeAttribute("data-preview");
  }
  covered = null;
}
