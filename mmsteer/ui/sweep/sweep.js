// The sweep panel: asks for one picture after the other, keeps them, and scrubs through them without the server.
// Its value is what it asks, then what is answered: {laid}, {drawn}, {file} or {wrong}, with the number of the run.
const make = window.mmMake, section = element.querySelector(".mm-sweep");
let run = null, runs = 0, mine = false;

function ask(event, message) {
  props.value = { ...message, run: run.number };
  trigger(event);
}

// -- the bar: what to sweep

const feature = make("select", { "aria-label": "feature to sweep", onchange: () => choose() });
const other = make("select", { "aria-label": "second feature of the grid" });
const start = (kind, told, title) => make("button", { type: "button", class: "mm-chip", "data-kind": kind, title, onclick: () => begin(kind) }, told);
const over = start("over", "Sweep", "one feature over its usable range");
const against = start("against", "Grid", "two features over their usable ranges");
const seeds = start("seeds", "Several seeds", "the rack as it stands, before and after, from six seeds");
const halt = make("button", { type: "button", class: "mm-chip mm-halt", onclick: () => (run.stopped ? goOn() : stop("Stopped")) }, "Stop");
const told = make("span", { class: "mm-sweep-told", role: "status" });

function choose() {
  const rows = window.mmRack?.rows ?? [], kept = +other.value;
  const options = (from) => from.map(({ id, name }) => make("option", { value: id }, name));
  const wanted = +feature.value;
  feature.replaceChildren(...options(rows));
  if (rows.some((row) => row.id === wanted)) feature.value = wanted;
  const rest = rows.filter((row) => row.id !== +feature.value);
  other.replaceChildren(...options(rest));
  if (rest.some((row) => row.id === kept)) other.value = kept;
  over.disabled = feature.disabled = rows.length < 1;
  against.disabled = other.disabled = rows.length < 2;
  if (!rows.length) feature.replaceChildren(make("option", {}, "no feature in the rack"));
  if (rows.length < 2) other.replaceChildren(make("option", {}, "a second feature"));
}

window.addEventListener("mm-rack", ({ detail }) => {
  choose();
  const { rows, last } = window.mmRack;
  if (detail.changed && rows.some((row) => row.id === last)) {
    feature.value = last;
    choose();
  }
  if (detail.changed && !mine && run?.laid && !run.stopped && run.pictures.size < run.laid.cells.length) stop("The rack has changed: stopped");
});

// -- a run: laid out first, then drawn picture by picture

function begin(kind) {
  run = { number: ++runs, kind, pictures: new Map(), stopped: false, waiting: false };
  body.replaceChildren();
  say("");
  const features = { over: [+feature.value], against: [+feature.value, +other.value], seeds: [] }[kind];
  ask("lay", { kind, features });
}

function next() {
  const { order, cells, again } = run.laid, cell = order.find((number) => !run.pictures.has(number));
  if (cell === undefined) say("");
  else {
    say(`${run.pictures.size} of ${cells.length}`);
    run.waiting = true;
    ask("draw", { again, cell });
  }
}

function say(text) {
  const left = run?.laid && run.pictures.size < run.laid.cells.length;
  told.textContent = text;
  halt.hidden = !left;
  halt.textContent = run?.stopped ? "Go on" : "Stop";
  for (const save of section.querySelectorAll(".mm-save")) save.disabled = Boolean(left);
}

function stop(why) {
  run.stopped = true;
  say(`${why} at ${run.pictures.size} of ${run.laid.cells.length}.`);
}

function goOn() {
  run.stopped = false;
  if (!run.waiting) next();
}

watch("value", () => {
  const message = props.value;
  if (!message || message.run !== run?.number) return; // of a run that is over
  if (message.wrong || message.drawn) run.waiting = false;
  if (message.wrong) {
    run.stopped = true;
    say(message.wrong);
  } else if (message.laid) {
    run.laid = message.laid;
    show();
    next();
  } else if (message.drawn) {
    arrived(message.drawn);
    if (!run.stopped) next();
  } else if (message.file) {
    make("a", { href: message.file.data, download: message.file.name }).click();
    say("");
  }
});

// -- what is shown: a stage, sliders to scrub, and all pictures

const body = make("div", { class: "mm-sweep-body" });
let stage, caption, buttons, across, down;

function show() {
  const { title, axes, rows, columns, cells, order, prompt } = run.laid;
  const scrub = (labels, name, reversed) => make("input", {
    type: "range", min: 0, max: labels.length - 1, step: 1, "aria-label": name, class: reversed ? "mm-reversed" : null, oninput: scrubbed,
  });
  const [first, second] = axes;
  across = scrub(columns, `scrub: ${first}`);
  down = second ? scrub(rows, `scrub: ${second}`, run.kind === "against") : null;
  stage = make("img", { class: "mm-stage-picture", alt: "" });
  caption = make("figcaption", {});
  buttons = cells.map((cell, number) => make("button", {
    type: "button", class: "mm-cell", tabindex: -1, "aria-label": `${cell.told}: ${cell.puts.length ? "put it into the rack" : "take this seed"}`, title: cell.told,
    onclick: () => put(number), onfocus: () => move(number), onpointerenter: (event) => event.pointerType === "mouse" && move(number),
  }));
  const lines = rows.map((row, r) => [rows.length > 1 ? make("span", { class: "mm-sweep-label" }, row) : null,
    ...buttons.slice(r * columns.length, (r + 1) * columns.length)]).flat();
  const head = [rows.length > 1 ? make("span") : null, ...columns.map((column) => make("span", { class: "mm-sweep-label" }, column))];
  const save = (kind, text) => make("button", { type: "button", class: "mm-chip mm-save", onclick: () => { say("Writing the file …"); ask("file", { again: run.laid.again, file: kind }); } }, text);
  body.replaceChildren(
    make("figure", { class: "mm-stage" }, stage, caption),
    make("div", { class: "mm-sweep-side" },
      make("p", { class: "mm-sweep-title" }, make("strong", {}, title), ` · ${prompt}`),
      make("div", { class: "mm-scrub", style: `--columns:${columns.length}` }, ...(down
        ? [make("label", {}, first, across), make("label", {}, second, down)] : [across])),
      make("div", { class: "mm-cells", style: `--columns:${columns.length}`, "data-labelled": String(rows.length > 1), role: "group", "aria-label": "all pictures" },
        ...[...head, ...lines].filter(Boolean)),
      make("div", { class: "mm-chips" }, rows.length > 1 ? null : save("gif", "Save as GIF"), save("png", "Save as a sheet"),
        make("span", { class: "mm-lead-in" }, `Click a picture to put its ${run.kind === "seeds" ? "seed" : "strength"} into the rack.`))));
  move(order[0]);
  body.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function scrubbed() {
  const { columns, rows } = run.laid, turned = down?.classList.contains("mm-reversed");
  const row = down ? (turned ? rows.length - 1 - down.value : +down.value) : 0;
  move(row * columns.length + +across.value);
}

function move(number) {
  const { columns, rows, cells } = run.laid, row = Math.floor(number / columns.length), column = number % columns.length;
  run.at = number;
  across.value = column;
  across.setAttribute("aria-valuetext", columns[column]);
  if (down) {
    down.value = down.classList.contains("mm-reversed") ? rows.length - 1 - row : row;
    down.setAttribute("aria-valuetext", rows[row]);
  }
  const picture = run.pictures.get(number);
  stage.hidden = !picture;
  if (picture) Object.assign(stage, { src: picture, alt: `${run.laid.prompt}: ${cells[number].told}` });
  caption.textContent = cells[number].told;
  buttons.forEach((button, k) => {
    button.tabIndex = k === number ? 0 : -1;
    button.setAttribute("aria-current", String(k === number));
  });
}

function arrived({ cell, picture }) {
  run.pictures.set(cell, picture);
  buttons[cell].replaceChildren(make("img", { src: picture, alt: "" }));
  if (run.at === cell) move(cell);
}

function put(number) {
  const { puts, seed } = run.laid.cells[number];
  move(number);
  if (!puts.length) return ask("pick", { seed });
  mine = true;
  window.dispatchEvent(new CustomEvent("mm-set", { detail: puts.map(([id, strength]) => ({ id, strength })) }));
  mine = false;
}

section.replaceChildren(
  make("div", { class: "mm-sweep-bar" }, make("h2", {}, "Sweep"), make("span", {}, feature, over),
    make("span", {}, make("span", { class: "mm-lead-in" }, "against"), other, against), seeds, halt, told),
  body);
choose();
say("");
