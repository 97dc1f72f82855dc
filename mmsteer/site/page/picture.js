// Before and after, cut from one strip of all strengths: scrubbing moves the strip, and asks for nothing.
import { make, tag } from "../../ui/shared/scripts/dom.js";
import { PROMPTS, shown } from "./state.js";
import { place } from "./strip.js";

const BLINK = 900; // milliseconds
let cut = 50; // percent
let blinking = null;

const side = (which) => make("img", { class: `mm-${which}`, decoding: "sync" });
const before = side("before");
const after = side("after");
const border = make("input", {
  type: "range", min: 0, max: 100, value: cut, "aria-label": "Border between before and after, percent",
  oninput: () => moveBorder(+border.value),
});
export const figure = make("figure", { class: "mm-compare", style: `--cut:${cut}%` },
  before, after,
  tag("before"), tag("after"),
  make("span", { class: "mm-border", "aria-hidden": "true" }), border);

export const blink = make("button", { type: "button", class: "mm-chip", id: "mm-blink", "aria-pressed": "false", onclick: toggle },
  "Blink: before, after");

function moveBorder(value) {
  cut = value;
  figure.style.setProperty("--cut", `${cut}%`);
}

function toggle() {
  const on = blinking === null;
  blink.setAttribute("aria-pressed", String(on));
  clearInterval(blinking);
  blinking = on ? setInterval(() => figure.classList.toggle("mms-covered"), BLINK) : null;
  figure.classList.toggle("mms-blinking", on);
  figure.classList.remove("mms-covered");
}

export function renderPicture() {
  const { feature, prompt, strength } = shown;
  const strip = `strips/${prompt}-${feature.id}.webp`;
  for (const [picture, at, words] of [[before, 0, "Before"], [after, strength, "After"]]) {
    if (picture.getAttribute("src") !== strip) picture.setAttribute("src", strip);
    picture.style.objectPosition = place(at);
    picture.alt = `${words}: ${PROMPTS[prompt]}${words === "After" ? `, ${feature.name} ${strength}` : ""}`;
  }
}
