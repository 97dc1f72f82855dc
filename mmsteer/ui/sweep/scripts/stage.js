// What a sweep shows: a stage, sliders to scrub, and all pictures. Scrubbing needs no server.
import { make } from "../../shared/scripts/dom.js";
import { ask, currentRun, report } from "./run.js";
import { putIntoRack } from "./panel.js";

const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");
const REVERSED = "mm-reversed";
export const body = make("div", { class: "mm-sweep-body" });
let stage, caption, buttons, items, across, down;

export const clear = () => body.replaceChildren();

export function setSaving(possible) {
  for (const button of body.querySelectorAll(".mm-save")) button.disabled = !possible;
}

function scrubber(labels, name, isReversed = false) {
  return make("input", {
    type: "range", min: 0, max: labels.length - 1, step: 1, "aria-label": name, class: isReversed ? REVERSED : null, oninput: scrub,
  });
}

function cellButton({ caption: text, puts, tooltip }, number) {
  return make("button", {
    type: "button", class: "mm-cell", tabindex: -1, title: tooltip ?? text,
    "aria-label": `${text}: ${puts.length ? "set the sliders to it" : "take this seed"}`,
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

// features on the prompt: each with its name, and once drawn with how much it changes; all of them take the focus, as no slider scrubs
function named({ columns, cells }) {
  const label = (cell, k) => make("span", { class: "mm-cell-name", "aria-hidden": "true" },
    make("span", { class: `mm-ink-${cell.modality}` }, cell.shape), ` ${columns[k]} `, make("small"));
  items = cells.map((cell, k) => make("div", { class: "mm-trial" }, buttons[k], label(cell, k)));
  for (const button of buttons) button.tabIndex = 0;
  return make("div", { class: "mm-trials", role: "group", "aria-label": "all pictures" }, ...items);
}

const percent = (change) => `${(100 * change).toFixed(change < 0.01 ? 2 : 0)} %`;

// what changes the picture most comes first, once all are there
function sort({ changes }) {
  const focused = document.activeElement;
  const most = [...items.keys()].sort((a, b) => changes.get(b) - changes.get(a));
  items[0].parentElement.append(...most.map((k) => items[k]));
  move(most[0]);
  if (buttons.includes(focused)) focused.focus({ preventScroll: true });
}

export function finished() {
  const run = currentRun();
  if (run.kind !== "each") return "";
  sort(run);
  return "Sorted: what changes the picture most comes first.";
}

function saveButton(kind, text) {
  const save = () => {
    report("Writing the file …");
    ask("file", { again: currentRun().laid.again, file: kind });
  };
  return make("button", { type: "button", class: "mm-chip mm-save", onclick: save }, text);
}

function onPrompt({ laid }) {
  return make("div", { class: "mm-sweep-side" },
    make("p", { class: "mm-sweep-title" }, make("strong", {}, "On my prompt"), ` · ${laid.prompt}`),
    named(laid),
    make("p", { class: "mm-sweep-title" }, "Click a picture to put its feature among the active ones. ", laid.rule));
}

function side() {
  const { kind, laid } = currentRun();
  if (kind === "each") return onPrompt(currentRun());
  const scrubbers = down
    ? [make("label", {}, laid.axes[0], across), make("label", {}, laid.axes[1], down)]
    : [across];
  const hint = `Click a picture to take over its ${kind === "seeds" ? "seed" : "strength"}.`;
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
  const change = run.changes.get(number);
  caption.textContent = cells[number].caption + (change == null ? "" : `: pixels differ by ${percent(change)}`);
  buttons.forEach((button, k) => {
    if (run.kind !== "each") button.tabIndex = k === number ? 0 : -1;
    button.setAttribute("aria-current", String(k === number));
  });
}

export function arrived({ cell, picture, change }) {
  const run = currentRun();
  run.pictures.set(cell, picture);
  if (run.kind === "each") {
    run.changes.set(cell, change);
    items[cell].querySelector("small").textContent = percent(change);
  }
  buttons[cell].replaceChildren(make("img", { src: picture, alt: "" }));
  if (run.at === cell) move(cell);
}

function put(number) {
  const { puts, seed } = currentRun().laid.cells[number];
  move(number);
  if (puts.length) putIntoRack(puts.map(([id, strength]) => ({ id, strength })));
  else ask("pick", { seed });
}
