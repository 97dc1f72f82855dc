// The Explore tab: a list, a histogram and a map of the same features, which filter one another, and the card of the chosen one.
// What there is comes from the server when the tab is first seen; from then on only pictures, cards and meanings are asked for.
const SHAPES = props.shapes, MEANINGS = props.meanings, MOST = props.most, BARS = 20, REACH = 26, ALIKE = 0.25;
const make = window.mmMake;
const CERTAIN = [["any name", () => true], ["with a name", (f) => f.named], ["name surer than 0.8", (f) => f.sure > 0.8], ["name surer than 0.95", (f) => f.sure > 0.95]];
const OFTEN = [["any rate", () => true], ["rare: below 2 %", (f) => f.rate < 0.02], ["2 to 20 %", (f) => f.rate >= 0.02 && f.rate <= 0.2], ["often: above 20 %", (f) => f.rate > 0.2]];
const DOTS = { vision: "M5.5 0A5.5 5.5 0 1 1-5.5 0A5.5 5.5 0 1 1 5.5 0Z", language: "M-4.8-4.8H4.8V4.8H-4.8Z", cross: "M0-6.4L6.4 0L0 6.4L-6.4 0Z" };
const QUIET = matchMedia("(prefers-reduced-motion: reduce)");

let features = [], byId = new Map(), places = new Map(), near = null, chosen = null, more = 1, asking = 0;
let how = "word", modality = "all", certain = 1, often = 0, bar = null;
const sheets = new Map(), cards = new Map(), effects = new Map();

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) if (value != null && value !== false) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
const signed = (strength) => `${strength < 0 ? "−" : "+"}${Math.abs(strength)}`;
const barOf = (f) => Math.min(BARS - 1, Math.floor(f.mds * BARS));
const shape = (f) => make("span", { class: `mm-shape mm-ink-${f.modality}`, "aria-hidden": "true" }, SHAPES[f.modality]);
const inRack = (id) => Boolean(document.querySelector(`#mm-rack .mm-row[data-id="${id}"]`));

function badge(f) {
  return make("span", { class: `mm-badge mm-${f.modality}`, title: f.told }, shape(f), ` ${f.modality} `, make("span", { class: "mm-score" }, f.mds.toFixed(2)));
}

// a feature's example sheet is a strip of square tiles: the first few, or all of them
function tiles(id, count, label) {
  const row = make("span", { class: "mm-tiles", role: label ? "img" : null, "aria-label": label, "aria-hidden": label ? null : "true" });
  for (let k = 0; k < count; k++) row.append(make("span", { style: `--k:${k}`, "data-sheet": id }));
  return row;
}

function paint(scope = element) {
  for (const tile of scope.querySelectorAll("[data-sheet]")) {
    const sheet = sheets.get(+tile.dataset.sheet);
    if (sheet) tile.style.backgroundImage = `url(${sheet})`;
    if (sheet === null) tile.parentElement.classList.add("mm-none");
  }
}

async function fetchSheets(ids) {
  const missing = ids.filter((id) => !sheets.has(id)).slice(0, MOST);
  if (missing.length) {
    const got = await server.sheets(missing);
    if (got && !got.wrong) for (const [id, sheet] of Object.entries(got)) sheets.set(+id, sheet);
  }
  paint();
}

// ---- what fits -----------------------------------------------------------------------------------------------------

function fits(f, exceptBar = false) {
  return (modality === "all" || f.modality === modality) && CERTAIN[certain][1](f) && OFTEN[often][1](f)
    && (exceptBar || bar === null || barOf(f) === bar) && says(f);
}

function says(f) {
  if (how === "meaning") return !near || near.has(f.id);
  const wanted = search.value.trim().toLowerCase();
  return f.name.toLowerCase().includes(wanted) || f.words.some((word) => word.includes(wanted));
}

function ranked() {
  const found = features.filter((f) => fits(f));
  if (near) return found.sort((a, b) => near.get(b.id) - near.get(a.id));
  const wanted = search.value.trim().toLowerCase();
  const rank = (f) => (f.name.toLowerCase().startsWith(wanted) ? 0 : f.name.toLowerCase().includes(wanted) ? 1 : 2);
  found.sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  if (wanted || modality !== "all") return found;
  const groups = Object.keys(SHAPES).map((name) => found.filter((f) => f.modality === name)); // a first look: some of each
  return found.flatMap((_, k) => groups.map((group) => group[k])).filter(Boolean);
}

// ---- the list ------------------------------------------------------------------------------------------------------

function item(f) {
  const score = near?.get(f.id)?.toFixed(2);
  return make("li", {},
    make("button", { type: "button", class: "mm-item", "data-key": `item ${f.id}`, "data-id": f.id, "aria-pressed": String(f.id === chosen), onclick: () => choose(f.id, true) },
      tiles(f.id, 2), make("span", { class: "mm-item-name" }, shape(f), ` ${f.name}`), score && make("small", { title: "cosine with what you asked for" }, score)),
    make("button", { type: "button", class: "mm-mini", "data-key": `add ${f.id}`, "data-mm-add": f.id, "data-mm-strength": 1, "aria-label": `add ${f.name} to the rack`, title: "add to the rack" }, inRack(f.id) ? "✓" : "+"));
}

function list() {
  const found = ranked(), shown = found.slice(0, MOST * more), asked = search.value.trim();
  keep(results, () => results.replaceChildren(...shown.map(item)));
  if (found.length > shown.length) results.append(make("li", {}, make("button", { type: "button", class: "mm-chip", onclick: () => { more++; list(); } }, `${found.length - shown.length} more`)));
  count.textContent = found.length ? `${found.length} of ${features.length} features` : `No feature fits${asked ? ` “${asked}”` : ""}.`;
  instead.hidden = Boolean(found.length || how === "meaning" || !asked);
  for (let k = 0; k < shown.length; k += MOST) fetchSheets(shown.slice(k, k + MOST).map((f) => f.id));
}

// ---- the histogram -------------------------------------------------------------------------------------------------

function histogram() {
  const here = features.filter((f) => fits(f, true)), groups = Array.from({ length: BARS }, () => ({ vision: 0, language: 0, cross: 0 }));
  for (const f of here) groups[barOf(f)][f.modality]++;
  const sums = groups.map((group) => Object.values(group).reduce((a, b) => a + b)), highest = Math.max(1, ...sums);
  const bars = groups.map((group, k) => {
    const parts = Object.entries(group).filter(([, n]) => n), told = parts.map(([name, n]) => `${n} ${name}`).join(", ") || "none";
    const label = `score ${(k / BARS).toFixed(2)} to ${((k + 1) / BARS).toFixed(2)}: ${told}`;
    return make("button", {
      type: "button", class: "mm-bar-of", "data-key": `bar ${k}`, "data-bar": k, tabindex: k === (bar ?? 0) ? 0 : -1, "aria-pressed": String(bar === k), "aria-label": label, title: `${label}; click to see only these`,
      onclick: () => { bar = bar === k ? null : k; refresh(); },
    }, ...parts.map(([name, n]) => make("span", { class: `mm-stack mm-fill-${name}`, style: `height:${(100 * n) / highest}%` })));
  });
  const lines = [["absolute", props.rules.absolute], ["paper", props.rules.paper]].flatMap(([rule, cuts]) => cuts.map((cut) =>
    make("i", { class: `mm-cut mm-cut-${rule}`, style: `left:${100 * cut}%`, "aria-hidden": "true" })));
  keep(chart, () => chart.replaceChildren(...bars, ...lines));
}

function barKeys(event) {
  const at = +event.target.dataset?.bar, step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? BARS - 1 : at + step;
  if (!(to >= 0 && to < BARS)) return;
  event.preventDefault();
  chart.querySelector(`[data-bar="${to}"]`).focus();
}

// ---- the map -------------------------------------------------------------------------------------------------------

const PAD = 22;
const spot = (id) => {
  const [x, y] = places.get(id);
  return [PAD + x * (board.clientWidth - 2 * PAD), PAD + y * (board.clientHeight - 2 * PAD)];
};

function map() {
  const width = board.clientWidth, height = board.clientHeight;
  if (!width || !places.size) return;
  const fitting = features.filter((f) => places.has(f.id) && fits(f)), inside = new Set(fitting.map((f) => f.id));
  if (chosen !== null && places.has(chosen)) inside.add(chosen);
  const tabbed = inside.has(chosen) ? chosen : fitting[0]?.id;
  const dots = features.filter((f) => places.has(f.id)).sort((a, b) => inside.has(a.id) - inside.has(b.id)).map((f) => {
    const [x, y] = spot(f.id), is = inside.has(f.id);
    return svg("g", {
      class: `mm-dot mm-ink-${f.modality}${is ? "" : " mm-far"}${f.named ? "" : " mm-nameless"}${f.id === chosen ? " mm-chosen" : ""}`, transform: `translate(${x} ${y})`, "data-key": `dot ${f.id}`, "data-dot": f.id,
      ...(is ? { role: "button", tabindex: f.id === tabbed ? 0 : -1, "aria-label": `${f.name}, ${f.modality}`, "aria-pressed": String(f.id === chosen) } : { "aria-hidden": "true" }),
    }, ...(f.id === chosen ? [svg("circle", { r: 11, class: "mm-ring" })] : []), svg("path", { d: DOTS[f.modality] }));
  });
  const card = cards.get(chosen), lines = card && places.has(chosen) ? card.neighbours.filter(([id, cosine]) => places.has(id) && cosine > ALIKE).map(([id, cosine]) => {
    const [[x1, y1], [x2, y2]] = [spot(chosen), spot(id)];
    return svg("line", { x1, y1, x2, y2, "stroke-opacity": Math.min(1, cosine).toFixed(2) });
  }) : [];
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "map of features: close means alike; arrow keys move, Enter chooses" },
    svg("g", { class: "mm-lines", "aria-hidden": "true" }, ...lines), svg("g", {}, ...dots), svg("g", { class: "mm-labels", "aria-hidden": "true" }, ...labels(fitting, width, height)));
  keep(board, () => board.replaceChildren(picture, tip));
}

// names where they do not run over one another: the chosen one first, then what was searched for, then the surest
function labels(fitting, width, height) {
  const first = new Set([chosen, ...(search.value.trim() ? ranked().slice(0, 12).map((f) => f.id) : [])]);
  const order = [...fitting.filter((f) => first.has(f.id)), ...fitting.filter((f) => f.named && !first.has(f.id)).sort((a, b) => b.sure - a.sure)];
  if (chosen !== null && !order.some((f) => f.id === chosen) && places.has(chosen)) order.push(byId.get(chosen));
  order.sort((a, b) => (b.id === chosen) - (a.id === chosen));
  const taken = fitting.map((f) => { const [x, y] = spot(f.id); return [x - 5, y - 5, x + 5, y + 5]; }), put = [];
  for (const f of order) {
    const [x, y] = spot(f.id), wide = f.name.length * 6.7 + 4;
    for (const [dx, dy] of [[9, 4], [-9 - wide, 4], [-wide / 2, -10], [-wide / 2, 20]]) {
      const box = [x + dx, y + dy - 11, x + dx + wide, y + dy + 3];
      const free = box[0] > 2 && box[2] < width - 2 && box[1] > 2 && box[3] < height - 2 && !taken.some((t) => t[0] < box[2] && t[2] > box[0] && t[1] < box[3] && t[3] > box[1]);
      if (!free) continue;
      taken.push(box);
      put.push(svg("text", { x: box[0] + 2, y: y + dy, class: f.id === chosen ? "mm-chosen" : "" }, f.name));
      break;
    }
  }
  return put;
}

function closest(event) {
  const { left, top } = board.getBoundingClientRect();
  let best = null, least = REACH;
  for (const dot of board.querySelectorAll(".mm-dot[role]")) {
    const [x, y] = spot(+dot.dataset.dot), away = Math.hypot(event.clientX - left - x, event.clientY - top - y);
    if (away < least) [best, least] = [+dot.dataset.dot, away];
  }
  return best;
}

function hover(id) {
  if (tip.dataset.id === String(id)) return;
  tip.dataset.id = id;
  tip.hidden = id === null;
  if (id === null) return;
  const f = byId.get(id), [x, y] = spot(id);
  tip.replaceChildren(tiles(id, 3), make("span", {}, shape(f), ` ${f.name}`));
  tip.style.left = `${Math.min(Math.max(x, 80), board.clientWidth - 80)}px`;
  tip.style.top = `${y}px`;
  tip.classList.toggle("mm-below", y < 110);
  fetchSheets([id]);
}

function dotKeys(event) {
  const at = event.target.dataset?.dot, way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  if (at === undefined) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    choose(+at, true);
  }
  if (!way) return;
  event.preventDefault();
  const [x, y] = spot(+at);
  let best = null, least = Infinity;
  for (const dot of board.querySelectorAll(".mm-dot[role]")) {
    const [u, v] = spot(+dot.dataset.dot), along = (u - x) * way[0] + (v - y) * way[1], across = Math.abs((u - x) * way[1]) + Math.abs((v - y) * way[0]);
    if (along > 0.5 && along + 2 * across < least) [best, least] = [dot, along + 2 * across];
  }
  if (!best) return;
  event.target.setAttribute("tabindex", -1);
  best.setAttribute("tabindex", 0);
  best.focus();
  hover(+best.dataset.dot);
}

// ---- the card ------------------------------------------------------------------------------------------------------

function chips(title, entries, empty) {
  return make("div", { class: "mm-card-part" }, make("h3", {}, title),
    make("div", { class: "mm-chips" }, ...(entries.length ? entries.map(([id, told]) => {
      const f = byId.get(id);
      return make("button", { type: "button", class: "mm-chip", title: told, onclick: () => { choose(id, true); card.querySelector("h2").focus({ preventScroll: true }); } }, shape(f), ` ${f.name}`);
    }) : [make("span", { class: "mm-soft" }, empty)])));
}

function scale(f) {
  const cut = props.rules.absolute.map((at) => make("i", { class: "mm-cut mm-cut-absolute", style: `left:${100 * at}%` }));
  return make("div", { class: "mm-scale", role: "img", "aria-label": f.told }, ...cut,
    make("b", { style: `left:${100 * f.low}%;width:${Math.max(0.6, 100 * (f.high - f.low))}%` }), make("span", { class: `mm-ink-${f.modality}`, style: `left:${100 * f.mds}%` }, SHAPES[f.modality]));
}

function facts(f) {
  const rows = [
    ["score (MDS)", `${f.mds.toFixed(2)}, 95 % from ${f.low.toFixed(2)} to ${f.high.toFixed(2)}`, `over ${f.pairs.toLocaleString("en")} pairs on which it fires`],
    ["where both sides fire", f.both == null ? "they never do" : f.both.toFixed(2), "the score over the pairs where it fires in the picture and in the caption: what the absolute rule reads"],
    ["modality", `${f.modality} (absolute rule), ${f.paper} (the paper's)`, ""],
    ["fires on", `${percent(f.rateImage)} of pictures, ${percent(f.rateText)} of captions`, ""],
    ["fires on both together", `${f.cofiring.toFixed(1)} times as often as by chance`, "co-firing: P(both) over what chance would give"],
    ["P(both | any)", f.pBoth.toFixed(2), "of the pairs on which it fires on either side, the share where it fires on both"],
    ...(f.foundIn ? [["stability", `found in ${f.foundIn[0]} of ${f.foundIn[1]} builds`, "the bank was built with other seeds and other pairs too: the builds in which a feature has this steering vector, this one included"]] : []),
    ["usable range", `${signed(f.usable[0])} to ${signed(f.usable[1])} units`, "between these strengths pictures hold together"],
  ];
  return make("dl", { class: "mm-facts" }, ...rows.flatMap(([name, value, told]) => [make("dt", { title: told }, name), make("dd", { title: told }, value)]));
}

function effect(f) {
  const { columns = [], wrong, waiting } = effects.get(f.id) ?? {}, { prompt, seeds, strengths } = props.effect;
  const title = (strength) => (strength ? signed(strength) : "before");
  const grid = make("div", { class: "mm-effect", "aria-busy": String(Boolean(waiting)) }, ...strengths.map((strength, k) => make("div", {}, make("span", {}, title(strength)),
    ...seeds.map((seed, i) => (columns[k] ? make("img", { src: columns[k].pictures[i], alt: `${prompt}, seed ${seed}, ${strength === 0 ? "without" : title(strength)} ${f.name}` }) : make("span", { class: `mm-blank${waiting ? " mm-waiting" : ""}` }))))));
  const draw = make("button", { type: "button", class: "mm-big", id: "mm-draw-effect", onclick: () => drawEffect(f.id) }, "Draw what it does");
  return make("div", { class: "mm-card-part" }, make("h3", { tabindex: -1, "data-key": "effect" }, `Effect on “${prompt}”`),
    make("div", { class: "mm-effect-box" }, grid, columns.length || waiting ? null : draw),
    wrong ? make("p", { class: "mm-problem", role: "alert" }, wrong) : null);
}

function drawEffect(id) {
  for (const [other, { waiting }] of effects) if (waiting) effects.delete(other); // newest wins; one already being drawn still comes
  effects.set(id, { waiting: true });
  show();
  card.querySelector("[data-key=effect]").focus({ preventScroll: true });
  props.value = { draw: id };
  trigger("draw");
}

function show() {
  const f = byId.get(chosen), known = cards.get(chosen);
  if (!f) return;
  const sure = f.sure == null ? (f.named ? "named by a person" : "no sure name") : `name sure to ${f.sure.toFixed(2)}`;
  const added = inRack(f.id);
  keep(card, () => card.replaceChildren(
    make("div", { class: "mm-card-head" },
      make("div", {}, make("h2", { tabindex: -1, "data-key": "name" }, f.name), make("p", {}, badge(f), ` ${MEANINGS[f.modality]} · `, make("span", { title: f.sureTold ?? "" }, sure))),
      make("div", { class: "mm-card-add" },
        make("button", { type: "button", class: "mm-big", "data-key": "add", "data-mm-add": f.id, "data-mm-strength": 1 }, added ? "✓ In the rack" : "Add to rack"),
        added ? make("button", { type: "button", class: "mm-link-to", "data-key": "go", onclick: goToRack }, "Steer with it") : null)),
    make("div", { class: "mm-evidence" },
      make("div", {}, make("h3", {}, "Top pictures"), tiles(f.id, 9, `the nine pictures on which ${f.name} fires most`), make("p", { class: "mm-soft mm-no-sheet" }, "This bank has no example pictures.")),
      make("div", {}, make("h3", {}, "Top captions"), known ? make("ol", {}, ...known.captions.map((caption) => make("li", {}, caption))) : null)),
    effect(f),
    make("div", { class: "mm-card-part" }, make("div", { class: "mm-ends-told" }, make("span", {}, "only captions"), make("span", {}, "only pictures")), scale(f), facts(f)),
    known ? chips("Nearest features", known.neighbours.map(([id, cosine]) => [id, `cosine ${cosine.toFixed(2)}`]), "none") : null,
    known ? chips("Rivals, which recede as it is added", known.rivals.map((id) => [id, "never in a caption together with it"]), "none known") : null));
  paint(card);
}

function goToRack() {
  [...document.querySelectorAll("#mm-tabs [role=tab]")].find((tab) => tab.textContent.trim() === "Steer")?.click();
}

async function choose(id, byHand = false) {
  chosen = id;
  hover(null);
  for (const button of results.querySelectorAll(".mm-item")) button.setAttribute("aria-pressed", String(+button.dataset.id === id));
  map();
  show();
  if (byHand && innerWidth < 1000 && card.getBoundingClientRect().top > innerHeight * 0.6) card.scrollIntoView({ behavior: QUIET.matches ? "auto" : "smooth" });
  fetchSheets([id]);
  if (!cards.has(id)) {
    const got = await server.card(id);
    if (!got || got.wrong) return;
    cards.set(id, got);
    if (got.columns.length) effects.set(id, { columns: got.columns });
  }
  if (chosen === id) { map(); show(); }
}

// ---- one for all ---------------------------------------------------------------------------------------------------

// draws anew and leaves the keyboard where it was
function keep(scope, draw) {
  const was = scope.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  draw();
  if (was !== undefined) scope.querySelector(`[data-key="${was}"]`)?.focus({ preventScroll: true });
}

function refresh() {
  more = 1;
  for (const button of [...ways.children, ...kinds.children]) button.setAttribute("aria-pressed", String([how, modality].includes(button.dataset.is)));
  list();
  histogram();
  const first = ranked()[0];
  if (first && !(byId.has(chosen) && fits(byId.get(chosen)))) choose(first.id); // what is on the card fits what was asked for
  else map();
}

let resting;
function typed() {
  clearTimeout(resting);
  problem.replaceChildren();
  if (how === "word") return refresh();
  resting = setTimeout(askMeaning, 400);
}

async function askMeaning() {
  clearTimeout(resting);
  const mine = ++asking, text = search.value.trim();
  problem.replaceChildren();
  if (!text) near = null;
  else {
    count.textContent = "asking the text encoder …";
    const got = (await server.meaning(text)) ?? { wrong: "The server does not answer: please try again." };
    if (mine !== asking) return; // newer words are asked for
    if (got.wrong) problem.replaceChildren(make("p", { class: "mm-note" }, got.wrong));
    near = new Map(got.wrong ? [] : got);
    if (near.size) chosen = null; // the best answer goes onto the card
  }
  refresh();
}

function setHow(way) {
  how = way;
  search.placeholder = PLACEHOLDERS[how];
  near = null;
  asking++;
  problem.replaceChildren();
  refresh();
  if (how === "meaning" && search.value.trim()) askMeaning();
}

const PLACEHOLDERS = { word: "a word: penguin, night, light …", meaning: "a phrase: a cat at night" };
const search = make("input", { type: "search", "aria-label": "search features", placeholder: PLACEHOLDERS.word, maxlength: 200, oninput: () => typed(), onkeydown: (event) => event.key === "Enter" && how === "meaning" && askMeaning() });
const ways = make("div", { class: "mm-filters", role: "group", "aria-label": "search by" }, ...["word", "meaning"].map((way) =>
  make("button", { type: "button", class: "mm-chip", "data-is": way, title: way === "word" ? "the word is in its name or its captions" : "near to the words in the text encoder's space", onclick: () => setHow(way) }, `by ${way}`)));
const kinds = make("div", { class: "mm-filters", role: "group", "aria-label": "modality" });
const choice = (label, options, at, set) => make("select", { "aria-label": label, onchange: (event) => { set(event.target.selectedIndex); refresh(); } }, ...options.map(([told], k) => make("option", { selected: k === at }, told)));
const count = make("p", { class: "mm-count", role: "status" }), instead = make("button", { type: "button", class: "mm-chip", hidden: true, onclick: () => { setHow("meaning"); search.focus(); } }, "Search by meaning instead"), problem = make("div", { role: "alert" });
const results = make("ul", { class: "mm-results", "aria-label": "features found" });
const tip = make("div", { class: "mm-tip", "aria-hidden": "true", hidden: true });
const board = make("div", {
  class: "mm-board", onkeydown: dotKeys, onclick: (event) => { const id = closest(event); if (id !== null) choose(id, true); },
  onpointermove: (event) => hover(closest(event)), onpointerleave: () => hover(null),
});
const chart = make("div", { class: "mm-chart", role: "group", "aria-label": "features by Modality Dominance Score; arrow keys move, Enter shows only one bar's", onkeydown: barKeys });
const card = make("article", { class: "mm-card", "aria-label": "the chosen feature" });
const cuts = props.rules, both = (pair) => pair.map((at) => at.toFixed(2)).join(" and ");

element.querySelector(".mm-explore").replaceChildren(
  make("p", { class: "mm-intro" }, "Each dot is a feature: something to put into a picture, or take out. Close dots are alike. Pick one to see what it is."),
  make("div", { class: "mm-tools" }, search, ways, kinds, choice("certainty of the name", CERTAIN, certain, (k) => (certain = k)), choice("how often it fires", OFTEN, often, (k) => (often = k))),
  problem,
  make("div", { class: "mm-three" },
    make("section", { class: "mm-found", "aria-label": "list" }, count, instead, results),
    make("section", { class: "mm-sight", "aria-label": "map and histogram" }, board,
      make("ul", { class: "mm-key", "aria-label": "shapes of the dots" }, ...Object.keys(SHAPES).map((name) => make("li", {}, svg("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", class: `mm-ink-${name}`, "aria-hidden": "true" }, svg("path", { d: DOTS[name] })), make("span", {}, name))), make("li", {}, svg("svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", class: "mm-nameless", "aria-hidden": "true" }, svg("path", { d: DOTS.vision })), make("span", {}, "no sure name"))),
      chart,
      make("div", { class: "mm-ends-told" }, make("span", {}, "0: only captions"), make("span", {}, "Modality Dominance Score"), make("span", {}, "1: only pictures")),
      make("p", { class: "mm-soft" }, make("i", { class: "mm-sample mm-cut-absolute" }), `absolute rule, ${both(cuts.absolute)}, read where both sides fire `, make("i", { class: "mm-sample mm-cut-paper" }), `the paper's, mean ± sd, ${both(cuts.paper)}`)),
    card));

async function begin() {
  features = (await server.features()) ?? [];
  byId = new Map(features.map((f) => [f.id, f]));
  kinds.replaceChildren(...["all", ...Object.keys(SHAPES)].map((name) => make("button", {
    type: "button", class: `mm-chip mm-of-${name}`, "data-is": name, "aria-pressed": String(modality === name), onclick: () => { modality = name; refresh(); },
  }, ...(name === "all" ? ["all"] : [make("span", { "aria-hidden": "true" }, SHAPES[name]), ` ${name} ${features.filter((f) => f.modality === name).length}`]))));
  refresh();
  const got = await server.layout();
  if (Array.isArray(got)) places = new Map(got.map((at, k) => [features[k].id, at]));
  map();
}

new ResizeObserver(() => map()).observe(board);
window.addEventListener("mm-add", () => setTimeout(() => { list(); show(); }));
window.addEventListener("mm-drawn", ({ detail: { id, columns, wrong } }) => {
  effects.set(id, { columns: columns ?? effects.get(id)?.columns, wrong, waiting: !wrong && columns.length < props.effect.strengths.length });
  if (id === chosen) show();
});
begin();
