// The tab that is shown is part of the address, so that a reload or a link shows it again. A link to features shows Explore.
import { inAddress, putIntoAddress } from "./address.js";

const wanted = inAddress("tab") ?? (inAddress("feature") ?? inAddress("features") ? "explore" : null);
const nameOf = (tab) => tab.textContent.trim().toLowerCase().replace(/\W+/g, "-");

function show() {
  const tab = [...document.querySelectorAll("#mm-tabs [role=tab]")].filter((one) => nameOf(one) === wanted).at(-1);
  if (!tab) return;
  built.disconnect();
  tab.click();
}

const built = new MutationObserver(show);
if (wanted) built.observe(document, { childList: true, subtree: true });

document.addEventListener("click", ({ target }) => {
  const tab = target.closest?.("#mm-tabs [role=tab]");
  if (tab) putIntoAddress("tab", nameOf(tab));
});
