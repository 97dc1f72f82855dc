// What a sweep shows: a stage, sliders to scrub, and all pictures. Scrubbing needs no server.
import { make } from "../../shared/scripts/dom.js";
import { ask, currentRun, report } from "./run.js";
import { putIntoRack } from "./panel.js";

const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");
const REVERSED = "mm-reversed";
export const body = make("div", { class: "mm-sweep-body" });
let stage, caption, buttons, across, down;

export const clear = () => body.replaceChildren();

export function setSaving(possible) {
  for (const button of body.querySelectorAll(".mm-save")) button.disabled = !possible;
}

function scrubber(labels, name, isReversed = false) {
  return make("input", {
    type: "range", min: 0, max: labels.length - 1, step: 1, "aria-label": name, class: isReversed ? REVERSED : null, oninput: scrub,
  });
}

function cellButton({ caption: text, puts }, number) {
  return make("button", {
    type: "button", class: "mm-cell", tabindex: -1, title: text,
    "aria-label": `${text}: ${puts.length ? "put it into the rack" : "take this seed"}`,
    onclick: () => put(number), onfocus: () => move(number),
    onpointerenter: (event) => event.pointerType === "mouse" && move(number),
  });
}

function grid({ rows, columns }) {
  const isLabelled = rows.length > 1;
  const label = (text) => make("span", { class: "mm-sweep-label" }, text);
  const head = [isLabelled ? make("span") : null, ...columns.map(label)];
  const lines = rows.flatMap((row, r) =>
    [isLabelled ? label(row) : null, ...buttons.slice(r * columns.length, (r + 1) * columns.length)]);
  return make("div", {
    class: "mm-cells", style: `--columns:${columns.length}`, "data-labelled": String(isLabelled),
    role: "group", "aria-label": "all pictures",
  }, ...head, ...lines);
}

function saveButton(kind, text) {
  const save = () => {
    report("Writing the file …");
    ask("file", { again: currentRun().laid.again, file: kind });
  };
  return make("button", { type: "button", class: "mm-chip mm-save", onclick: save }, text);
}

function side() {
  const { kind, laid } = currentRun();
  const scrubbers = down
    ? [make("label", {}, laid.axes[0], across), make("label", {}, laid.axes[1], down)]
    : [across];
  const hint = `Click a picture to put its ${kind === "seeds" ? "seed" : "strength"} into the rack.`;
  return make("div", { class: "mm-sweep-side" },
    make("p", { class: "mm-sweep-title" }, make("strong", {}, laid.title), ` · ${laid.prompt}`),
    make("div", { class: "mm-scrub", style: `--columns:${laid.columns.length}` }, ...scrubbers),
    grid(laid),
    make("div", { class: "mm-chips" },
      ...(laid.rows.length > 1 ? [] : [saveButton("gif", "Save as GIF"), saveButton("mp4", "Save as MP4")]),
      saveButton("png", "Save as a sheet"),
      make("span", { class: "mm-lead-in" }, hint)));
}

export function show() {
  const { kind, laid } = currentRun();
  const [first, second] = laid.axes;
  across = scrubber(laid.columns, `scrub: ${first}`);
  down = second ? scrubber(laid.rows, `scrub: ${second}`, kind === "against") : null;
  stage = make("img", { class: "mm-stage-picture", alt: "" });
  caption = make("figcaption", {});
  buttons = laid.cells.map(cellButton);
  body.replaceChildren(make("figure", { class: "mm-stage" }, stage, caption), side());
  move(laid.order[0]);
  body.scrollIntoView({ block: "nearest", behavior: REDUCED.matches ? "auto" : "smooth" });
}

const isReversed = () => Boolean(down?.classList.contains(REVERSED));

function scrub() {
  const { columns, rows } = currentRun().laid;
  const row = down ? (isReversed() ? rows.length - 1 - down.value : +down.value) : 0;
  move(row * columns.length + +across.value);
}

function move(number) {
  const run = currentRun();
  const { columns, rows, cells } = run.laid;
  const row = Math.floor(number / columns.length);
  const column = number % columns.length;
  run.at = number;
  across.value = column;
  across.setAttribute("aria-valuetext", columns[column]);
  if (down) {
    down.value = isReversed() ? rows.length - 1 - row : row;
    down.setAttribute("aria-valuetext", rows[row]);
  }
  const picture = run.pictures.get(number);
  stage.hidden = !picture;
  if (picture) Object.assign(stage, { src: picture, alt: `${run.laid.prompt}: ${cells[number].caption}` });
  caption.textContent = cells[number].caption;
  buttons.forEach((button, k) => {
    button.tabIndex = k === number ? 0 : -1;
    button.setAttribute("aria-current", String(k === number));
  });
}

export function arrived({ cell, picture }) {
  const run = currentRun();
  run.pictures.set(cell, picture);
  buttons[cell].replaceChildren(make("img", { src: picture, alt: "" }));
  if (run.at === cell) move(cell);
}

function put(number) {
  const { puts, seed } = currentRun().laid.cells[number];
  move(number);
  if (puts.length) putIntoRack(puts.map(([id, strength]) => ({ id, strength })));
  else ask("pick", { seed });
}
