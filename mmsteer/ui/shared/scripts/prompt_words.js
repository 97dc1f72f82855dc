// The prompt's field and the words in it, as the server reads them.

// letters, marks and digits, or symbols; an apostrophe, a hyphen or an underscore between letters does not end a word
const WORD = /[\p{L}\p{M}\p{N}]+(?:['’_-][\p{L}\p{M}\p{N}]+)*|\p{So}+/gu;
// scripts without spaces between words: there the browser's dictionaries say where one ends
const UNSPACED = new RegExp(`[${["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"]
  .map((name) => `\\p{Script=${name}}`).join("")}]`, "u");
const SEGMENTS = new Intl.Segmenter(undefined, { granularity: "word" });

export const promptField = () => document.querySelector("#mm-prompt textarea, #mm-prompt input");

export const promptText = () => promptField()?.value ?? "";

export function wordsIn(text) {
  const segments = (word) => [...SEGMENTS.segment(word)].filter((part) => part.isWordLike).map((part) => part.segment);
  const words = text.normalize("NFC").toLowerCase().match(WORD) ?? [];
  return words.flatMap((word) => (UNSPACED.test(word) ? segments(word) : [word]));
}

// as if the visitor had typed it
export function typePrompt(text) {
  const field = promptField();
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
