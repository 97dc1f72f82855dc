// A file dropped anywhere on the page is opened, as by the button that opens files.
const input = () => document.querySelector("#mm-under input[type=file]");
const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function open(file) {
  const chosen = new DataTransfer();
  chosen.items.add(file);
  input().files = chosen.files;
  input().dispatchEvent(new Event("change", { bubbles: true }));
}

// where a component takes files itself, as the picture of another tab does, the drop is its own
const isTaken = (event) => !input()
  || Boolean(event.target.closest?.("[data-testid=image], .upload-container, .mm-source, input[type=file]"));

document.addEventListener("dragover", (event) => {
  if (!carriesFile(event) || isTaken(event)) return;
  event.preventDefault();
  document.body.classList.add("mm-dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("mm-dropping");
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("mm-dropping");
  if (!carriesFile(event) || isTaken(event)) return;
  event.preventDefault();
  open(event.dataTransfer.files[0]);
});
