// The sweep panel: asks for one picture after the other, keeps them, and lets the visitor scrub through them.
import { onNewPair } from "../../shared/scripts/pair.js";
import { answered, pairChanged, rackChanged, report } from "./run.js";
import { bar, chooseFeature, offerRows } from "./bar.js";
import { body } from "./stage.js";

let putting = false; // whether the panel itself changes the rack

export function putIntoRack(strengths) {
  putting = true;
  window.dispatchEvent(new CustomEvent("mm-set", { detail: strengths }));
  putting = false;
}

window.addEventListener("mm-rack", ({ detail }) => {
  offerRows();
  if (!detail.changed) return;
  const { rows, last } = window.mmRack;
  if (rows.some((row) => row.id === last)) chooseFeature(last);
  if (!putting) rackChanged();
});

onNewPair(pairChanged);
watch("value", () => answered(props.value));
element.querySelector(".mm-sweep").replaceChildren(bar, body);
offerRows();
report("");
