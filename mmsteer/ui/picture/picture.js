// The picture whose features are shown, and where it comes from: a file, dropped or chosen, or what the tab Steer shows.
// The component's value is the question, {ask, query, file}, sent by `upload` if it is a file and else by `ask`; `answer` is
// {picture, alt} or {error}.
import { chip, make, tag } from "../shared/scripts/dom.js";
import { shownQuery } from "../shared/scripts/pair.js";
import { sendPicture } from "../shared/scripts/picture_file.js";

const LARGEST = props.largest;
const TYPES = props.types;
const image = make("img", { alt: "" });
const corner = tag("before", "the picture");
const notice = make("div", { class: "mm-problem", role: "alert", hidden: true });
const input = make("input", {
  type: "file", accept: TYPES.join(","), hidden: true, "aria-label": "a picture of your own", onchange: () => give(input.files[0]),
});
const source = element.querySelector(".mm-source");

function ask(question) {
  notice.hidden = true;
  props.value = question;
  trigger(question.file ? "upload" : "ask");
}

function fail(sentence) {
  notice.textContent = sentence;
  notice.hidden = false;
}

async function give(file) {
  input.value = "";
  if (!file) return;
  const { sent, error } = await sendPicture(file, TYPES, LARGEST, upload);
  if (error) fail(error);
  else ask({ ask: "file", file: sent });
}

function use(which) {
  const query = shownQuery();
  if (query) ask({ ask: which, query });
  else fail("The tab Steer has no picture yet: wait a moment.");
}

const useButton = (which) => chip(`Use ${which}`, () => use(which), { title: `the picture ${which} of the tab Steer` });

source.replaceChildren(
  make("figure", { class: "mm-tile mm-waiting" }, image, corner),
  make("div", { class: "mm-chips" },
    chip("Upload a picture", () => input.click(), { title: "PNG, JPEG or WebP, at most 5 MB; or drop one here" }),
    input, useButton("before"), useButton("after"),
    chip("Example", () => ask({ ask: "example" }), { title: "a picture that this page draws" })),
  notice);

function dragging(event, over) {
  event.preventDefault();
  source.classList.toggle("mm-dropping", over);
}

source.addEventListener("dragover", (event) => dragging(event, true));
source.addEventListener("dragleave", () => source.classList.remove("mm-dropping"));
source.addEventListener("drop", (event) => {
  dragging(event, false);
  give(event.dataTransfer.files[0]);
});

function render() {
  const { picture, alt, error } = props.answer;
  if (error) fail(error);
  if (!picture) return;
  image.src = picture;
  image.alt = alt;
  image.parentElement.classList.remove("mm-waiting");
}
watch("answer", render);
render();
