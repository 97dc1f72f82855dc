// The visitor's own picture: thumbnail, the slider from keep to free, and a button that lets it go. Pictures come by the events
// "mm-own-choose", which asks for a file, and "mm-own-file", with a file that was dropped or opened. The value, {freedom, picture,
// file}, is the recipe's and is sent by `release`; with a file on its way by `upload`, whose answer is {freedom, picture} or {error}.
import { make } from "../../shared/scripts/dom.js";
import { pairFollows } from "../../shared/scripts/pair.js";
import { sendPicture } from "../../shared/scripts/picture_file.js";
import { rangeInput } from "../../shared/scripts/range.js";

const place = element.querySelector(".mm-own-picture");
const notice = make("div", { role: "alert" });
const input = make("input", {
  type: "file", accept: props.types.join(","), hidden: true, "aria-label": "a picture of your own to edit",
  onchange: () => give(input.files[0]),
});
let state = structuredClone(props.value);

const source = () => `data:image/webp;base64,${state.picture.replaceAll("-", "+").replaceAll("_", "/")}`;

function fail(sentence) {
  notice.replaceChildren(...(sentence ? [make("p", { class: "mm-problem" }, sentence)] : []));
}

async function give(file) {
  input.value = "";
  if (!file) return;
  fail("");
  const { sent, error } = await sendPicture(file, props.types, props.largest, upload);
  if (error) return fail(error);
  props.value = { ...state, file: sent };
  trigger("upload");
}

function change(more) {
  state = { ...state, ...more };
  props.value = structuredClone(state);
  render();
  trigger("release");
}

function slider() {
  return rangeInput({
    min: props.least, max: 1, "aria-label": "how far from your picture",
    title: "how much of the sampling run is drawn anew: near keep the picture stays as it is, at free nothing of it is left",
    value: () => state.freedom,
    move: (freedom) => pairFollows({ freedom }),
    rest: (freedom) => {
      pairFollows(null);
      change({ freedom });
    },
  });
}

function render() {
  const row = state.picture && make("div", { class: "mm-own-row" },
    make("img", { src: source(), alt: "your picture" }),
    make("span", {}, "keep"), slider(), make("span", {}, "free"),
    make("button", {
      type: "button", class: "mm-mini mm-out", "aria-label": "let your picture go", title: "let it go: draw from noise alone again",
      onclick: () => change({ picture: "" }),
    }, "✕"));
  place.replaceChildren(...[row, notice, input].filter(Boolean));
}

watch("value", () => {
  const { freedom, picture, file } = props.value;
  if (file || (freedom === state.freedom && picture === state.picture)) return; // a change of its own
  state = { freedom, picture };
  fail("");
  render();
});
watch("answer", () => {
  const { error, picture, freedom } = props.answer;
  props.value = structuredClone(state); // without the file
  if (error) fail(error);
  else if (picture) change({ picture, freedom });
});
window.addEventListener("mm-own-choose", () => input.click());
window.addEventListener("mm-own-file", ({ detail }) => give(detail));
render();
