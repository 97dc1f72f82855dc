// Links to this page, and copying them.
import { make } from "./dom.js";

// with this query, on the hosting page of a Space if there is one
export const pageLink = (query) => `${props.home || location.href.split(/[?#]/)[0]}?${query}`;

// without permission to use the clipboard, as in some frames, the link is shown, to be copied by hand
export async function copyLink(button, link) {
  const { textContent } = button;
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = textContent), 1500);
  } catch {
    const field = make("input", { readonly: true, class: "mm-link", "aria-label": "the link" });
    field.value = link;
    button.replaceWith(field);
    field.select();
  }
}
