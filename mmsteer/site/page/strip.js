// Where the picture of a strength lies in its strip, as an `object-position`.
import { STRENGTHS } from "./state.js";

export const place = (strength) => `${(100 * STRENGTHS.indexOf(strength)) / (STRENGTHS.length - 1)}% 0`;
