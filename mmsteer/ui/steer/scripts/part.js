// What is left of an edit on some words, or in some steps, alone: a row asks by the event "mm-ask-part", the answer comes as "mm-part".
// The component's value is the question, {query, id}, then the answer: {query, id, sentence, little} or {query, id, error}.
import { shownQuery } from "../../shared/scripts/pair.js";

window.addEventListener("mm-ask-part", ({ detail: id }) => {
  props.value = { query: shownQuery() ?? "", id };
  trigger("ask");
});

watch("value", () => {
  const { query, id, sentence, little, error } = props.value ?? {};
  if (query === shownQuery() && (sentence || error)) {
    window.dispatchEvent(new CustomEvent("mm-part", { detail: { id, little, sentence: sentence ?? error } }));
  }
});
