// "Surprise me": three features at random, from the seed, so that somebody else can have the same surprise.
import { MOST, rack, newRow, changed } from "./rows.js";
import { render } from "./rack.js";

const PICKED = ["cross", "vision", "cross"];
let surprises = 0;

// numbers from 0 to 1 from a seed (mulberry32)
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function surprise() {
  const seed = +(document.querySelector("#mm-seed input")?.value ?? 0);
  const next = random(seed * 1000 + ++surprises);
  const locked = rack.rows.filter((row) => row.locked);
  const others = props.catalogue.filter((f) => f.descriptive && !locked.some((row) => row.id === f.id));
  const picked = PICKED.map((modality) => {
    const group = others.filter((f) => f.modality === modality);
    return group[Math.floor(next() * group.length)];
  });
  const chosen = [...new Set(picked.filter(Boolean))].slice(0, Math.max(0, MOST - locked.length));
  const strength = () => Math.round(20 * (0.6 + 0.7 * next())) / 20;
  rack.rows = [...locked, ...chosen.map((f) => newRow(f.id, strength()))];
  render();
  changed();
}
