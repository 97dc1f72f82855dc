// What concerns all active features at once. The rack listens for the commands.
import { chip, make } from "../../shared/scripts/dom.js";

const send = (command) => window.dispatchEvent(new CustomEvent("mm-command", { detail: command }));

element.querySelector(".mm-all").replaceChildren(
  chip("✦ Surprise me", () => send("surprise"), { id: "mm-surprise", title: "three features at random; rows that are locked stay" }),
  chip("Reset sliders", () => send("zero"), { id: "mm-reset", title: "all sliders to zero" }),
  chip("Edit a picture of your own", () => window.dispatchEvent(new CustomEvent("mm-own-choose")), {
    id: "mm-own-choose",
    title: "before and after are drawn from it, not from noise alone: PNG, JPEG or WebP, at most 5 MB; or drop one anywhere",
  }),
  chip("What can be drawn", () => window.dispatchEvent(new CustomEvent("mm-list-words")), {
    id: "mm-list-words", title: "words that this model knows, under the prompt",
  }),
  make("div", { class: "mm-masters", id: "mm-masters", role: "group", "aria-label": "switch features of a kind on or off" }));
send("show");
