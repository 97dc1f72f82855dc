// A run of the sweep panel: laid out first, then drawn picture by picture.
// The component's value is the question, then the answer: {laid}, {drawn}, {file} or {error}, with the number of the run.
import { about } from "../../progress/scripts/seconds.js";
import { make } from "../../shared/scripts/dom.js";
import { shownQuery } from "../../shared/scripts/pair.js";
import { promptText } from "../../shared/scripts/prompt_words.js";
import { arrived, clear, finished, setSaving, show } from "./stage.js";
import { halt, status, sweptFeatures } from "./bar.js";

const STOPPED = "Stopped."; // the server's answer for a picture that was stopped on its way
let run = null;
let runs = 0;

export const currentRun = () => run;

export function ask(event, message) {
  props.value = { ...message, run: run.number };
  trigger(event);
}

const isUnfinished = () => Boolean(run?.laid) && run.pictures.size < run.laid.cells.length;

// what the prompt does not contain, as the pair that is shown has said; of a prompt typed since then nothing is known
function absent(features) {
  if (new URLSearchParams(shownQuery()).get("prompt") !== promptText().trim()) return [];
  return window.mmRack.rows.filter(({ id, oneWay }) => oneWay && features.includes(id)).map(({ id }) => id);
}

export function begin(kind) {
  run = { number: ++runs, kind, pictures: new Map(), changes: new Map(), shown: shownQuery(), stopped: false, waiting: false };
  clear();
  report(kind === "each" ? "Reading the prompt …" : "");
  const features = sweptFeatures(kind);
  ask(kind === "each" ? "suggest" : "lay", { kind, features, absent: absent(features) });
}

function next() {
  const { order, cells, again } = run.laid;
  const cell = order.find((number) => !run.pictures.has(number));
  if (cell === undefined) return report(finished());
  report(`${run.pictures.size} of ${cells.length}${left()}`);
  run.waiting = true;
  ask("draw", { again, cell });
}

// by the pictures since the run began or went on
function left() {
  const drawn = run.pictures.size - run.from;
  const seconds = (performance.now() - run.since) / 1000;
  return drawn > 0 ? `, ${about((seconds / drawn) * (run.laid.cells.length - run.pictures.size))} left` : "";
}

function startClock() {
  Object.assign(run, { from: run.pictures.size, since: performance.now() });
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
  startClock();
  if (!run.waiting) next();
}

export function stopOrGoOn() {
  if (run.stopped) goOn();
  else halted("Stopped");
}

export function rackChanged() {
  if (isUnfinished() && !run.stopped) halted("The features have changed: stopped");
}

// the picture on its way gives up its place, too
function halted(why) {
  stop(why);
  if (run.waiting) trigger("stop");
}

// another prompt or noise: the visitor has asked for something else
export function pairChanged() {
  const shown = shownQuery();
  if (!run?.laid || shown === run.shown) return;
  run.shown = shown;
  const pair = new URLSearchParams(shown);
  const { prompt, cells } = run.laid;
  const isOther = pair.get("prompt") !== prompt || (run.kind !== "seeds" && +pair.get("seed") !== cells[0].seed);
  if (isOther && isUnfinished() && !run.stopped) halted("Another picture is shown: stopped");
}

function failed(error) {
  if (error === STOPPED) {
    if (!run.stopped) next(); // the visitor has changed their mind in between
    return;
  }
  run.stopped = true;
  report(error);
}

export function answered(message) {
  if (!message || message.run !== run?.number) return; // of an earlier run
  if (message.error || message.drawn) run.waiting = false;
  if (message.error) {
    failed(message.error);
  } else if (message.laid) {
    run.laid = message.laid;
    startClock();
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
