// DOM without markup: whatever a name says, it stays text.

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export function chip(text, onclick, attributes = {}) {
  return make("button", { type: "button", class: "mm-chip", onclick, ...attributes }, text);
}

// what a picture is, in its corner
export const tag = (which, text = which) => make("span", { class: `mm-tag mm-tag-${which}`, "aria-hidden": "true" }, text);

export const pressed = (yes) => String(Boolean(yes));
