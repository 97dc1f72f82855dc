// Thumbnails of this visit, newest first, and the link to what is shown. Nothing leaves the browser.
const MOST = 24, shelf = element.querySelector(".mm-history"), kept = new Map();
let shown = "";

function link() {
  const page = props.home || location.origin + location.pathname;
  return `${page}?${shown}`;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(link());
    button.textContent = "Copied";
  } catch { // no leave to use the clipboard, as in some frames: show it to be copied by hand
    button.replaceWith(Object.assign(document.createElement("input"), { value: link(), readOnly: true, className: "mm-link", ariaLabel: "link to this picture" }));
    element.querySelector(".mm-link").select();
    return;
  }
  setTimeout(() => (button.textContent = "Copy link"), 1500);
}

function render() {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "mm-chip", id: "mm-copy", textContent: "Copy link", onclick: () => copy(button) });
  shelf.replaceChildren(button, ...[...kept.values()].map(({ query, picture, told }) => {
    const thumb = document.createElement("button");
    Object.assign(thumb, { type: "button", className: "mm-thumb", title: told, ariaLabel: `show again: ${told}` });
    thumb.append(Object.assign(document.createElement("img"), { src: picture, alt: "" }));
    thumb.onclick = () => { props.value = query; trigger("restore"); };
    return thumb;
  }));
}

// a picture is new when its figure is
new MutationObserver(() => {
  const figure = document.querySelector("#mm-pictures figure[data-query]");
  if (!figure || figure.dataset.query === shown) return;
  const { query } = figure.dataset, after = figure.querySelector(".mm-after");
  shown = query;
  kept.delete(query);
  const entries = [[query, { query, picture: after.src, told: after.alt.replace(/^After: /, "") }], ...kept].slice(0, MOST);
  kept.clear();
  for (const [key, value] of entries) kept.set(key, value);
  render();
}).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-query"] });
