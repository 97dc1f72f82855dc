// For browsers without `field-sizing` (prompt.css): a text field that gets narrower gets higher.
window.addEventListener("resize", () => {
  if (window.CSS.supports("field-sizing", "content")) return;
  for (const field of document.querySelectorAll("textarea")) {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`; // no higher than the style sheet allows
  }
});
