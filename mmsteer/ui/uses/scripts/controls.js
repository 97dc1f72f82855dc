// Controls that both parts use: a group of chips of which one is pressed, and features as chips.
import { make, pressed } from "../../shared/scripts/dom.js";

export const SHAPES = props.shapes;

// `names`: value -> what it says. `choose` is called with the value that is clicked.
export function choice(label, names, choose) {
  const buttons = [...names].map(([value, name]) => make("button", {
    type: "button", class: SHAPES[value] ? `mm-chip mm-of-${value}` : "mm-chip", "data-value": value, onclick: () => choose(value),
  }, SHAPES[value] ? make("span", { "aria-hidden": "true" }, `${SHAPES[value]} `) : null, name));
  return {
    node: make("div", { class: "mm-chips", role: "group", "aria-label": label },
      make("span", { class: "mm-lead-in" }, label), ...buttons),
    show: (value) => buttons.forEach((button) => button.setAttribute("aria-pressed", pressed(button.dataset.value === String(value)))),
  };
}

// A feature, which a click puts into the rack of the tab Steer.
export function featureChip({ id, name, modality, scoreTooltip }, note = "") {
  return make("button", {
    type: "button", class: `mm-chip mm-of-${modality}`, "data-mm-add": id, title: `${scoreTooltip}; click to add it to the active features`,
  }, make("span", { "aria-hidden": "true" }, SHAPES[modality]), make("span", { class: "mm-unseen" }, modality), ` ${name} `,
  note ? make("small", {}, note) : null);
}

export function saveFile({ name, data }) {
  make("a", { href: data, download: name }).click();
}

// a part that cannot work here says so instead
export function missing(sentence) {
  element.querySelector(".mm-use").replaceChildren(
    make("h2", {}, props.title), make("p", { class: "mm-note", role: "status" }, sentence));
}

export function problem() {
  const node = make("p", { class: "mm-problem", role: "alert", hidden: true });
  return {
    node,
    say: (sentence) => {
      node.textContent = sentence ?? "";
      node.hidden = !sentence;
    },
  };
}
