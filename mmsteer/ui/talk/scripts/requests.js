// Pictures from the server, one request at a time: those of the step shown, else the pair of the next step, so that it appears at once.
// The component's value is the question, {kind, number, …}, then the answer: {number} with {pair}, {words} or {error}.
import { current, keepError, keepPair, keepTyped, nameOf, pairOf, show, steps, typedOf } from "./state.js";

let number = 0; // of the last question
let waiting = null; // what was asked for: {number, kind, name}

const isDrawn = (step) => Boolean(pairOf(step)) && !pairOf(step).isAhead;

function wanted() {
  const [now, next] = [current(), steps()[show.at + 1]];
  if (now && !isDrawn(now)) return [now];
  if (now && show.typed && pairOf(now).query && !typedOf(now)) return [now, pairOf(now).query];
  return next && !isDrawn(next) ? [next] : null;
}

export function fetchNext() {
  const found = show.stage && !waiting ? wanted() : null;
  if (!found) return;
  const [step, words] = found;
  number += 1;
  waiting = { number, isWords: Boolean(words), name: nameOf(step) };
  if (words) props.value = { kind: "words", number, query: words };
  else if (step.query) props.value = { kind: "own", number, query: step.query };
  else props.value = { kind: "tour", number, step: step.number };
  trigger("ask");
}

// whoever opens talk mode again asks again: an answer may have been lost with the network
export const forgetWaiting = () => (waiting = null);

// keep an answer; the name of its step, or nothing if nobody waits for it any more
export function received({ number: answered, pair, words, error }) {
  if (!waiting || answered !== waiting.number) return null;
  const { isWords, name } = waiting;
  waiting = null;
  if (isWords) keepTyped(name, words ?? { error });
  else if (pair) keepPair(name, pair);
  else keepError(name, error);
  return name;
}
