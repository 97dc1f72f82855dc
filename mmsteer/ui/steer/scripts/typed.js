// Sliders that are typed: the search of the rack asks for one, the server makes it, the rack adds it.
// The component's value is the question, {text}, then the answer: {made} or {error}.
window.addEventListener("mm-type", ({ detail }) => {
  props.value = { text: detail };
  trigger("ask");
});

watch("value", () => {
  const { made, error } = props.value ?? {};
  if (made || error) window.dispatchEvent(new CustomEvent("mm-typed", { detail: { made, error } }));
});
