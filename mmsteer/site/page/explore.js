// The view Explore: the tab of that name, with answers from files.
import "./server.js";
import "../../ui/explore/scripts/tab.js";
import { choose } from "../../ui/explore/scripts/choice.js";

window.addEventListener("mm-card", ({ detail }) => choose(detail, true));
