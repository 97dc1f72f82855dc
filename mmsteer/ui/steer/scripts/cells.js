// The cells of a region: `SIDE` by `SIDE` of them, row by row, as `mmsteer/recipes/region.py` has them.
const SIDE = props.side;
export const LAST = SIDE - 1;

export const noCells = () => Array(SIDE * SIDE).fill(false);

// bits of bytes, the highest first, as base64 of the URL alphabet without padding
export function readGrid(grid) {
  const bytes = [...atob(grid.replaceAll("-", "+").replaceAll("_", "/"))].map((letter) => letter.charCodeAt(0));
  return bytes.flatMap((byte) => Array.from({ length: 8 }, (_, k) => Boolean(byte & (128 >> k))));
}

export function writeGrid(cells) {
  if (!cells.includes(true)) return "";
  const bytes = Array.from({ length: cells.length / 8 }, (_, k) =>
    cells.slice(8 * k, 8 * k + 8).reduce((byte, cell) => 2 * byte + cell, 0));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// a box by its first and last column and row
export const boxCells = ({ left, top, right, bottom }) =>
  noCells().map((_, k) => k % SIDE >= left && k % SIDE <= right && k >= SIDE * top && k < SIDE * (bottom + 1));

export function boundsOf(cells) {
  const marked = cells.flatMap((cell, k) => (cell ? [k] : []));
  if (!marked.length) return null;
  const columns = marked.map((k) => k % SIDE);
  const rows = marked.map((k) => Math.floor(k / SIDE));
  return { left: Math.min(...columns), top: Math.min(...rows), right: Math.max(...columns), bottom: Math.max(...rows) };
}

// the cells with those near a point marked too; the point in cells
export const withDisc = (cells, [x, y], radius) =>
  cells.map((cell, k) => cell || Math.hypot((k % SIDE) + 0.5 - x, Math.floor(k / SIDE) + 0.5 - y) <= radius);

// Dark where no cell is marked; the browser softens it when it is laid over the picture.
export function paintVeil(canvas, cells) {
  canvas.width = canvas.height = SIDE;
  const image = new ImageData(SIDE, SIDE);
  const dark = cells.includes(true) ? 150 : 70;
  cells.forEach((cell, k) => image.data.set([12, 14, 20, cell ? 0 : dark], 4 * k));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export function describe(cells) {
  const box = boundsOf(cells);
  if (!box) return "everywhere: drag over the picture";
  const percent = (cell) => Math.round((100 * cell) / SIDE);
  const count = cells.filter(Boolean).length;
  const isBox = count === (box.right - box.left + 1) * (box.bottom - box.top + 1);
  const share = `${Math.max(1, Math.round((100 * count) / cells.length))} % of the picture`;
  return isBox ? `${share}: ${percent(box.left)}–${percent(box.right + 1)} % across, ${percent(box.top)}–${percent(box.bottom + 1)} % down`
    : share;
}
