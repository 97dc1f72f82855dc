// The two groups of pictures. They are read one after the other; what the browser keeps of each is its embedding and its own file.
import { chip, make } from "../../shared/scripts/dom.js";

const queue = []; // pictures to read, the first on its way
let numbers = 0;
let panel = { ask() {}, say() {}, review() {} }; // who asks the server, says sentences and learns of changes

export const groups = [group("Pictures with it"), group("Pictures without it")];

export const isReady = () => !queue.length && groups.every(({ pictures }) => pictures.length >= props.fewest);

export function connect(calls) {
  panel = calls;
}

function group(name) {
  const tiles = make("div", { class: "mm-tiles" });
  const input = make("input", {
    type: "file", accept: props.types.join(","), multiple: true, hidden: true, "aria-label": name,
    onchange: () => {
      take(own, [...input.files]);
      input.value = "";
    },
  });
  const count = make("small");
  const add = chip("Add pictures", () => input.click());
  const place = make("div", { class: "mm-group", role: "group", "aria-label": name }, make("h3", {}, name, " ", count), tiles, add, input);
  place.addEventListener("dragover", (event) => over(event, true));
  place.addEventListener("dragleave", () => place.classList.remove("mm-over"));
  place.addEventListener("drop", (event) => {
    over(event, false);
    take(own, [...event.dataTransfer.files]);
  });
  function over(event, yes) { // this drop is not the page's
    event.preventDefault();
    event.stopPropagation();
    document.body.classList.remove("mm-dropping");
    place.classList.toggle("mm-over", yes);
  }
  const own = { place, tiles, count, add, pictures: [] };
  render(own);
  return own;
}

function why(file) {
  if (!props.types.includes(file.type)) return `${file.name} is no PNG, JPEG or WebP picture.`;
  if (file.size > props.largest) return `${file.name} has more than ${props.largest / 2 ** 20} MB.`;
  return "";
}

function take(own, files) {
  const problems = files.map(why).filter(Boolean);
  const good = files.filter((file) => !why(file));
  const room = props.most - own.pictures.length;
  if (good.length > room) problems.push(`A group has ${props.most} pictures at most: the first ${room} are taken.`);
  panel.say(problems.join(" "));
  for (const file of good.slice(0, room)) {
    const picture = { number: ++numbers, file, url: URL.createObjectURL(file), own, embedding: null };
    own.pictures.push(picture);
    queue.push(picture);
    if (queue.length === 1) next();
  }
  render(own);
}

async function next() {
  const [picture] = queue;
  if (!picture) return;
  try {
    const { path } = await upload(picture.file);
    panel.ask("read", { number: picture.number, file: { path, meta: { _type: "gradio.FileData" } } });
  } catch {
    learn({ number: picture.number, error: `${picture.file.name} did not arrive: try again.` });
  }
}

// what the server says of a picture
export function learn({ number, read, error }) {
  const picture = queue[0];
  if (picture?.number !== number) return;
  queue.shift();
  if (error) {
    panel.say(`${picture.file.name}: ${error}`);
    leave(picture);
  } else {
    picture.embedding = read;
    render(picture.own);
  }
  next();
}

function leave(picture) {
  picture.own.pictures = picture.own.pictures.filter((other) => other !== picture);
  const at = queue.indexOf(picture);
  if (at > 0) queue.splice(at, 1); // one on its way is forgotten when its answer comes
  URL.revokeObjectURL(picture.url);
  render(picture.own);
}

function tile(picture) {
  return make("div", { class: `mm-picked${picture.embedding ? "" : " mm-reading-it"}` },
    make("img", { src: picture.url, alt: picture.file.name }),
    make("button", {
      type: "button", class: "mm-mini", "aria-label": `leave ${picture.file.name} out`, onclick: () => leave(picture),
    }, "✕"));
}

function render(own) {
  own.tiles.replaceChildren(...own.pictures.map(tile));
  own.count.textContent = `${own.pictures.length} of ${props.fewest} to ${props.most}`;
  own.add.disabled = own.pictures.length >= props.most;
  panel.review();
}
