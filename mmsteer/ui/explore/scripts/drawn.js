// Passes drawn effects on to the tab's script, which belongs to another component.
watch("value", () => window.dispatchEvent(new CustomEvent("mm-drawn", { detail: props.value })));
