// Where a pair differs, and how strongly: a heat map over *before*, with a legend. The change of a pixel is the largest of its red,
// green and blue; `mmsteer/pictures/change.py` counts the same ones.
import { make } from "../../shared/scripts/dom.js";

const VISIBLE = 16; // of 255: from there on a pixel counts as changed
const LEAST = 32; // of 255: the legend ends there or above, so that noise does not glow
// "inferno" of matplotlib (CC0) from a quarter on: even in brightness, so it reads the same without red, green or any colour
const COLOURS = [
  [87, 16, 110], [120, 28, 109], [151, 39, 102], [182, 54, 85], [208, 71, 66], [231, 97, 43], [246, 132, 16], [251, 176, 24],
  [244, 219, 83], [252, 255, 164],
];

function colour(share) {
  const place = share * (COLOURS.length - 1);
  const [low, high] = [COLOURS[Math.floor(place)], COLOURS[Math.ceil(place)]];
  return low.map((value, k) => value + (high[k] - value) * (place % 1));
}

function pixels(picture, width, height) {
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

// the change of each pixel, 0 to 255
function changes(figure, width, height) {
  const [before, after] = ["before", "after"].map((which) => pixels(figure.querySelector(`.mm-${which}`), width, height));
  const differ = (k) => Math.abs(before[k] - after[k]);
  return Uint8Array.from({ length: width * height }, (_, k) => Math.max(differ(4 * k), differ(4 * k + 1), differ(4 * k + 2)));
}

// two digits that count, as `in_percent` of `mmsteer/pictures/change.py`
function inPercent(share) {
  const percent = 100 * share;
  if (percent < 0.005) return "0 %";
  return `${percent.toFixed(percent >= 10 ? 0 : percent >= 1 ? 1 : 2)} %`;
}

function paint(canvas, change, end) {
  const image = new ImageData(canvas.width, canvas.height);
  // what is hardly visible is hardly shown
  const scale = Array.from({ length: end + 1 }, (_, value) => [...colour(value / end), 225 * Math.min(1, value / (2 * VISIBLE))]);
  change.forEach((value, k) => image.data.set(scale[value], 4 * k));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function explain(legend, change, end) {
  const share = change.reduce((sum, value) => sum + (value > VISIBLE), 0) / change.length;
  const bar = `linear-gradient(90deg, ${COLOURS.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ")})`;
  const changed = make("b", { title: `pixels that differ by more than ${VISIBLE} of 255 in red, green or blue` },
    `${inPercent(share)} of the picture changed`);
  const scale = make("i", { style: `background: ${bar}`, "aria-hidden": "true" });
  legend.replaceChildren(changed, make("span", {}, "by 0", scale, `${end} of 255`));
}

export function showHeat(figure) {
  if (!figure) return; // nothing is drawn yet
  const [canvas, legend, picture] = [".mm-heat", ".mm-heat-legend", ".mm-before"].map((name) => figure.querySelector(name));
  const { naturalWidth: width, naturalHeight: height } = picture;
  if (!canvas || !width) return;
  Object.assign(canvas, { width, height });
  const change = changes(figure, width, height);
  const end = change.reduce((most, value) => Math.max(most, value), LEAST);
  paint(canvas, change, end);
  explain(legend, change, end);
}
