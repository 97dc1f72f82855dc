// What talk mode shows now. A step is {title, lesson, prompt, features, notes} with its number in the tour or the query of its recipe.

const TOUR = props.steps.map((step, number) => ({ ...step, number }));

export const show = {
  stage: null, // the dialog; null while talk mode is closed
  at: 0, // the step
  own: false, // the visitor's own talk in place of the tour
  view: null, // "slide" or "blink", once it is chosen
  typed: false, // the same in typed words beside it
  guessing: false, // modalities are hidden until they are guessed
  cut: 50, // percent, of the border
};
// by step; at first those drawn ahead, which are shown until the step is drawn
const pairs = new Map(TOUR.flatMap(({ number, pair }) => (pair ? [[number, { ...pair, isAhead: true }]] : [])));
const typed = new Map();
const guesses = new Map(); // by step: the modalities guessed so far, one for each of its features

// the other component keeps the visitor's own talk, and says which steps of it can be shown
export const ownSteps = () => window.mmTalk ?? [];
export const steps = () => (show.own ? ownSteps() : TOUR);
export const current = () => steps()[show.at];
export const nameOf = (step) => step.query ?? step.number;

export const pairOf = (step) => pairs.get(nameOf(step));
export const typedOf = (step) => typed.get(nameOf(step));
export const keepPair = (name, pair) => pairs.set(name, pair);
// what was drawn ahead stays, with the reason why there is no more
export const keepError = (name, error) => pairs.set(name, { ...pairs.get(name), isAhead: false, error });
export const keepTyped = (name, words) => typed.set(name, words);

export function forgetErrors(step) {
  const name = nameOf(step);
  if (typed.get(name)?.error) typed.delete(name);
  const pair = pairs.get(name);
  if (!pair?.error) return;
  if (pair.after) pairs.set(name, { ...pair, error: undefined, isAhead: true });
  else pairs.delete(name);
}

// what is known of the features once they are drawn, or before
export const featuresOf = (step) => pairOf(step)?.features ?? step.features;

export const guessesOf = (step) => guesses.get(nameOf(step)) ?? [];
export const guess = (step, modality) => guesses.set(nameOf(step), [...guessesOf(step), modality]);

// the feature whose modality is to be guessed now, by its place; -1 if all are known
export function asked(step) {
  if (!step || !show.guessing) return -1;
  const next = guessesOf(step).length;
  return next < featuresOf(step).length ? next : -1;
}

export function startGuessing() {
  show.guessing = !show.guessing;
  guesses.clear();
}
