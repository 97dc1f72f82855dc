// What a feature does to a fixed prompt: pictures at several strengths, drawn when asked for.
import { make } from "../../shared/scripts/dom.js";
import { card, renderCard } from "./card.js";
import { effects, signed, state } from "./state.js";

const { prompt: PROMPT, seeds: SEEDS, strengths: STRENGTHS } = props.effect;

const columnTitle = (strength) => (strength ? signed(strength) : "before");

function columnElement(f, strength, column, waiting) {
  const cells = SEEDS.map((seed, i) => {
    if (!column) return make("span", { class: `mm-blank${waiting ? " mm-waiting" : ""}` });
    const dose = strength === 0 ? "without" : columnTitle(strength);
    return make("img", { src: column.pictures[i], alt: `${PROMPT}, seed ${seed}, ${dose} ${f.name}` });
  });
  return make("div", {}, make("span", {}, columnTitle(strength)), ...cells);
}

export function effectPart(f) {
  const { columns = [], error, waiting } = effects.get(f.id) ?? {};
  const grid = make("div", { class: "mm-effect", "aria-busy": String(Boolean(waiting)) },
    ...STRENGTHS.map((strength, k) => columnElement(f, strength, columns[k], waiting)));
  const draw = make("button", {
    type: "button", class: "mm-big", id: "mm-draw-effect", onclick: () => drawEffect(f.id),
  }, "Draw what it does");
  return make("div", { class: "mm-card-part" },
    make("h3", { tabindex: -1, "data-key": "effect" }, `Effect on “${PROMPT}”`),
    make("div", { class: "mm-effect-box" }, grid, columns.length || waiting ? null : draw),
    error ? make("p", { class: "mm-problem", role: "alert" }, error) : null);
}

function drawEffect(id) {
  // the newest request wins; one that is already being drawn still arrives
  for (const [other, { waiting }] of effects) if (waiting) effects.delete(other);
  effects.set(id, { waiting: true });
  renderCard();
  card.querySelector("[data-key=effect]").focus({ preventScroll: true });
  props.value = { draw: id };
  trigger("draw");
}

export function effectArrived({ id, columns, error }) {
  const waiting = !error && columns.length < STRENGTHS.length;
  effects.set(id, { columns: columns ?? effects.get(id)?.columns, error, waiting });
  if (id === state.chosen) renderCard();
}
