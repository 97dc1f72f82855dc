// Drawing where the edits act: a box is dragged, or a round brush paints, over the picture; arrow keys move and size a box.
// The component's value is the region's grid; it is released when the visitor is done.
import { chip, make, pressed } from "../../shared/scripts/dom.js";
import { boundsOf, boxCells, describe, LAST, noCells, paintVeil, readGrid, withDisc, writeGrid } from "./cells.js";

const BRUSH = 2.4; // cells
const FIRST = { left: 8, top: 8, right: 23, bottom: 23 }; // the box that keys begin with
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = "Arrow keys move the box, Shift and arrow keys size it, Enter is done, Escape leaves everything as it was";

let cells = noCells();
let tool = "box";
let from = null; // where the pointer went down, or where the brush was last, in cells
let board = null;

const pictures = () => document.querySelector("#mm-pictures");

function point(event) {
  const area = board.area.getBoundingClientRect();
  const within = (value) => Math.min(LAST + 0.999, Math.max(0, value * (LAST + 1)));
  return [within((event.clientX - area.left) / area.width), within((event.clientY - area.top) / area.height)];
}

function mark(now) {
  const [[x, y], [u, v]] = [from, now].map((p) => (tool === "box" ? p.map(Math.floor) : p));
  if (tool === "box") {
    cells = boxCells({ left: Math.min(x, u), right: Math.max(x, u), top: Math.min(y, v), bottom: Math.max(y, v) });
  } else {
    const steps = Math.ceil(Math.hypot(u - x, v - y)) || 1;
    for (let k = 0; k <= steps; k += 1) cells = withDisc(cells, [x + ((u - x) * k) / steps, y + ((v - y) * k) / steps], BRUSH);
    from = now;
  }
  show();
}

function press(event) {
  event.preventDefault();
  board.area.focus({ preventScroll: true });
  board.area.setPointerCapture(event.pointerId);
  from = point(event);
  mark(from);
}

function moveBox([dx, dy], isSizing) {
  const box = boundsOf(cells);
  if (!box) return FIRST;
  const right = Math.min(LAST, Math.max(isSizing ? box.left : 0, box.right + dx));
  const bottom = Math.min(LAST, Math.max(isSizing ? box.top : 0, box.bottom + dy));
  if (isSizing) return { ...box, right, bottom };
  const left = Math.max(0, Math.min(box.left + dx, LAST - (box.right - box.left)));
  const top = Math.max(0, Math.min(box.top + dy, LAST - (box.bottom - box.top)));
  return { left, top, right: left + box.right - box.left, bottom: top + box.bottom - box.top };
}

function key(event) {
  const arrow = ARROWS[event.key];
  if (event.key !== "Escape" && event.target !== board.area) return;
  if (arrow) cells = boxCells(moveBox(arrow, event.shiftKey));
  else if (event.key === "Escape") close();
  else if (event.key === "Enter") finish();
  else return;
  event.preventDefault(); // or Enter would open the menu, which has the focus now
  show();
}

function choose(name) {
  tool = name;
  show();
}

function clear() {
  cells = noCells();
  show();
}

function show() {
  if (!board) return;
  paintVeil(board.area, cells);
  board.words.textContent = describe(cells);
  for (const [name, button] of Object.entries(board.tools)) button.setAttribute("aria-pressed", pressed(name === tool));
}

// over the picture *after*, which in some views is one of two
function place() {
  if (!board) return;
  const [home, picture] = [pictures(), pictures().querySelector(".mm-after")].map((node) => node.getBoundingClientRect());
  Object.assign(board.whole.style, {
    left: `${picture.left - home.left}px`, top: `${picture.top - home.top}px`, width: `${picture.width}px`, height: `${picture.height}px`,
  });
}

function open() {
  if (board) return;
  cells = props.value ? readGrid(props.value) : noCells();
  const area = make("canvas", {
    class: "mm-marking", tabindex: 0, role: "application", "aria-label": `Where the edits act. ${KEYS}`,
    onpointerdown: press, onpointermove: (event) => from && mark(point(event)),
    onpointerup: () => (from = null), onpointercancel: () => (from = null),
  });
  const tools = {
    box: chip("Box", () => choose("box"), { title: "drag a box" }),
    brush: chip("Brush", () => choose("brush"), { title: "paint with a round brush" }),
  };
  const words = make("span", { class: "mm-marking-words", role: "status" });
  const whole = make("div", { class: "mm-where", role: "group", "aria-label": "Only here", onkeydown: key }, area,
    make("div", { class: "mm-marking-bar" }, ...Object.values(tools), chip("Clear", clear), chip("Done", finish), words));
  board = { whole, area, tools, words };
  pictures().append(whole);
  new ResizeObserver(place).observe(pictures());
  place();
  show();
  area.focus({ preventScroll: true });
}

function close() {
  board?.whole.remove();
  board = from = null;
  pictures().querySelector(".mm-menu summary")?.focus({ preventScroll: true });
}

function release(grid) {
  if (grid === props.value) return;
  props.value = grid;
  trigger("release");
}

function finish() {
  close();
  release(writeGrid(cells));
}

const COMMANDS = { draw: open, everywhere: () => release("") };

window.addEventListener("mm-region", (event) => COMMANDS[event.detail]?.());
window.addEventListener("resize", place);
watch("value", () => {
  cells = props.value ? readGrid(props.value) : noCells();
  show();
});
