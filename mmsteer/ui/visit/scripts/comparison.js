// Two pictures of the visit beside each other, or one over the other with a movable border, and what sets their recipes apart.
import { chip, make, pressed, tag } from "../../shared/scripts/dom.js";

const VIEWS = { "side by side": "both whole", slide: "one over the other, with a movable border" };
let view = "side by side";
const said = make("ul", { class: "mm-differences" });
const spoken = make("div", { role: "status" }, said); // a list with that role would be none
export const comparison = make("div", { class: "mm-comparison" });

const picture = (entry, which) => make("img", { class: `mm-${which}`, src: entry.picture, alt: entry.title });

function figure(first, second) {
  const pair = make("figure", { class: "mm-compare" }, picture(first, "before"), picture(second, "after"),
    tag("before", "A"), tag("after", "B"));
  if (view === "slide") {
    const slide = () => comparison.style.setProperty("--cut", `${border.value}%`);
    const border = make("input", { type: "range", min: 0, max: 100, step: 1, oninput: slide });
    border.setAttribute("aria-label", "Border between A and B, percent");
    border.value = 50;
    slide();
    pair.append(make("span", { class: "mm-border", "aria-hidden": "true" }), border);
  }
  return pair;
}

function viewChip(name, redraw) {
  const choose = () => {
    view = name;
    redraw();
  };
  return chip(name, choose, { title: VIEWS[name], "aria-pressed": pressed(view === name) });
}

// `entries` are none or two, {query, picture, title}
export function compareEntries(entries) {
  comparison.hidden = entries.length < 2;
  if (comparison.hidden) return;
  comparison.dataset.view = view;
  comparison.replaceChildren(
    make("div", { class: "mm-versus" }, figure(...entries)),
    make("div", { class: "mm-said" },
      make("div", { class: "mm-chips", role: "group", "aria-label": "how to compare these two" },
        ...Object.keys(VIEWS).map((name) => viewChip(name, () => compareEntries(entries)))),
      make("h3", {}, "From A to B"), spoken));
}

export function say({ differences, error }) {
  const words = error ? [error] : differences;
  said.replaceChildren(...(words.length ? words : ["Both are the same recipe."]).map((text) => make("li", {}, text)));
}
