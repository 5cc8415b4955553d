// A transcription's own page while it is worked on: follows it, then shows the page of its end.

import { follow } from "./follow.js";
import { parts } from "./page.js";

const root = document.getElementById("live");
await follow(root.dataset.url, root.dataset.place, parts(root, "card"));
location.reload();
