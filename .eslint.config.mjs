// The page's scripts. They are ES modules that are joined per component (mmsteer/ui/shared/script.py), inside a function of gradio's
// that has the names of `gradio` below.
const gradio = ["element", "props", "server", "trigger", "upload", "watch"];
const browser = [
  "Blob", "CustomEvent", "DataTransfer", "Event", "File", "HTMLInputElement", "Image", "ImageData", "Intl", "MutationObserver",
  "ResizeObserver", "TextDecoder", "URL", "URLSearchParams", "atob", "btoa", "clearInterval", "clearTimeout", "document", "history",
  "innerHeight", "innerWidth", "localStorage", "location", "matchMedia", "navigator", "performance", "scrollTo", "setInterval",
  "setTimeout", "structuredClone", "window",
];
const site = ["MMSTEER"]; // what the data of the static edition adds to

export default [
  {
    files: ["**/*.js"],
    languageOptions: {
      ecmaVersion: 2024,
      sourceType: "module",
      globals: Object.fromEntries([...gradio, ...browser, ...site].map((name) => [name, "readonly"])),
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "complexity": ["error", 12],
      "consistent-this": "error",
      "eqeqeq": ["error", "always", { null: "ignore" }],
      "max-len": ["error", { code: 140 }],
      "max-lines": ["error", 250],
      "max-lines-per-function": ["error", 60],
      "no-const-assign": "error",
      "no-dupe-args": "error",
      "no-dupe-keys": "error",
      "no-import-assign": "error",
      "no-redeclare": "error",
      "no-undef": "error",
      "no-unreachable": "error",
      "no-unused-expressions": ["error", { allowShortCircuit: true }],
      "no-unused-vars": "error",
      "no-useless-assignment": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
