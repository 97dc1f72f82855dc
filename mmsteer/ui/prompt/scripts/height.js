// gradio gives a text field its height as one types; a field that gets narrower or wider gets another one.
window.addEventListener("resize", () => {
  for (const field of document.querySelectorAll("textarea")) {
    if (!field.offsetParent) continue; // it is not shown, and has no height to measure
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`; // no higher than the style sheet allows
  }
});
