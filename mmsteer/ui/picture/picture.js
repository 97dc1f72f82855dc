// The picture whose features are looked at, and where it comes from: a file, dropped or chosen, or what the Steer tab shows.
// Its value is what is asked of the server, {ask, query, file}, told by `upload`; `shown` is the answer, {picture, told} or {wrong}.
const make = window.mmMake, LARGEST = props.largest, TYPES = props.types;
const image = make("img", { alt: "" }), tag = make("span", { class: "mm-tag mm-tag-before", "aria-hidden": "true" }, "the picture");
const notice = make("div", { class: "mm-problem", role: "alert", hidden: true });
const input = make("input", { type: "file", accept: TYPES.join(","), hidden: true, "aria-label": "a picture of your own", onchange: () => give(input.files[0]) });

function ask(asked) {
  notice.hidden = true;
  props.value = asked;
  trigger("upload");
}

function fail(told) {
  notice.textContent = told;
  notice.hidden = false;
}

async function give(file) {
  input.value = "";
  if (!file) return;
  if (!TYPES.includes(file.type)) return fail(`${file.name} is no PNG, JPEG or WebP picture: give another.`);
  if (file.size > LARGEST) return fail(`${file.name} has ${(file.size / 2 ** 20).toFixed(1)} MB; ${LARGEST / 2 ** 20} are allowed: give a smaller one.`);
  try {
    const { path } = await upload(file);
    ask({ ask: "file", file: { path, meta: { _type: "gradio.FileData" } } });
  } catch {
    fail(`${file.name} did not arrive: try again.`);
  }
}

const shown = () => document.querySelector("#mm-pictures figure[data-query]")?.dataset.query;
const button = (text, title, onclick) => make("button", { type: "button", class: "mm-chip", title, onclick }, text);
const use = (which) => button(`Use ${which}`, `the picture ${which} of the tab Steer`, () => shown() ? ask({ ask: which, query: shown() }) : fail("The tab Steer has no picture yet: wait a moment."));
const source = element.querySelector(".mm-source");
source.replaceChildren(
  make("figure", { class: "mm-tile mm-waiting" }, image, tag),
  make("div", { class: "mm-chips" }, button("Upload a picture", "PNG, JPEG or WebP, at most 5 MB; or drop one here", () => input.click()), input, use("before"), use("after"), button("Example", "a picture drawn here", () => ask({ ask: "example" }))),
  notice);

source.addEventListener("dragover", (event) => { event.preventDefault(); source.classList.add("mm-dropping"); });
source.addEventListener("dragleave", () => source.classList.remove("mm-dropping"));
source.addEventListener("drop", (event) => { event.preventDefault(); source.classList.remove("mm-dropping"); give(event.dataTransfer.files[0]); });

function render() {
  const { picture, told, wrong } = props.shown;
  if (wrong) fail(wrong);
  if (!picture) return;
  image.src = picture;
  image.alt = told;
  image.parentElement.classList.remove("mm-waiting");
}
watch("shown", render);
render();
