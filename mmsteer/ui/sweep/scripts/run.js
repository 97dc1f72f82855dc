// A run of the sweep panel: laid out first, then drawn picture by picture.
// The component's value is the question, then the answer: {laid}, {drawn}, {file} or {error}, with the number of the run.
import { make } from "../../shared/scripts/dom.js";
import { shownQuery } from "../../shared/scripts/pair.js";
import { arrived, clear, finished, setSaving, show } from "./stage.js";
import { halt, status, sweptFeatures } from "./bar.js";

let run = null;
let runs = 0;

export const currentRun = () => run;

export function ask(event, message) {
  props.value = { ...message, run: run.number };
  trigger(event);
}

const isUnfinished = () => Boolean(run?.laid) && run.pictures.size < run.laid.cells.length;

export function begin(kind) {
  run = { number: ++runs, kind, pictures: new Map(), changes: new Map(), shown: shownQuery(), stopped: false, waiting: false };
  clear();
  report(kind === "each" ? "Reading the prompt …" : "");
  ask(kind === "each" ? "suggest" : "lay", { kind, features: sweptFeatures(kind) });
}

function next() {
  const { order, cells, again } = run.laid;
  const cell = order.find((number) => !run.pictures.has(number));
  if (cell === undefined) return report(finished());
  report(`${run.pictures.size} of ${cells.length}`);
  run.waiting = true;
  ask("draw", { again, cell });
}

export function report(text) {
  status.textContent = text;
  halt.hidden = !isUnfinished();
  halt.textContent = run?.stopped ? "Go on" : "Stop";
  setSaving(!isUnfinished());
}

function stop(why) {
  run.stopped = true;
  report(`${why} at ${run.pictures.size} of ${run.laid.cells.length}.`);
}

function goOn() {
  run.stopped = false;
  if (!run.waiting) next();
}

export function stopOrGoOn() {
  if (run.stopped) goOn();
  else stop("Stopped");
}

export function rackChanged() {
  if (isUnfinished() && !run.stopped) stop("The features have changed: stopped");
}

// another prompt or noise: the visitor has asked for something else
export function pairChanged() {
  const shown = shownQuery();
  if (!run?.laid || shown === run.shown) return;
  run.shown = shown;
  const pair = new URLSearchParams(shown);
  const { prompt, cells } = run.laid;
  const isOther = pair.get("prompt") !== prompt || (run.kind !== "seeds" && +pair.get("seed") !== cells[0].seed);
  if (isOther && isUnfinished() && !run.stopped) stop("Another picture is shown: stopped");
}

export function answered(message) {
  if (!message || message.run !== run?.number) return; // of an earlier run
  if (message.error || message.drawn) run.waiting = false;
  if (message.error) {
    run.stopped = true;
    report(message.error);
  } else if (message.laid) {
    run.laid = message.laid;
    show();
    next();
  } else if (message.drawn) {
    arrived(message.drawn);
    if (!run.stopped) next();
  } else if (message.file) {
    make("a", { href: message.file.data, download: message.file.name }).click();
    report("");
  }
}
