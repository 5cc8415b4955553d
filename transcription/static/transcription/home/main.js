// The home page: files by button or drop, the microphone, samples.

import { addCard, somethingIsUnsent } from "./card.js";
import { recordingIsUnsent, setUpMicrophone } from "./microphone.js";
import { say, show } from "./page.js";

const files = document.getElementById("files");
const pageError = document.getElementById("page-error");
const options = () => [...new FormData(document.getElementById("options"))];

function add(list) {
  show(pageError, list.length ? "" : say("empty_drop"));
  for (const file of list) addCard(file, file.name, options());
}

document.getElementById("choose").addEventListener("click", () => files.click());
files.addEventListener("change", () => {
  add([...files.files]);
  files.value = ""; // so that the same file can be chosen again
});

let depth = 0; // enter and leave come for every element below the pointer
addEventListener("dragenter", (event) => {
  event.preventDefault();
  depth += 1;
  document.body.classList.add("dropping");
});
addEventListener("dragleave", () => {
  depth -= 1;
  if (!depth) document.body.classList.remove("dropping");
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dropping");
  add([...event.dataTransfer.files]);
});

for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", async () => {
    show(pageError, "");
    try {
      const answer = await fetch(button.dataset.sample);
      if (!answer.ok) throw new Error(String(answer.status));
      addCard(await answer.blob(), button.dataset.name, options());
    } catch {
      show(pageError, say("network"));
    }
  });
}

setUpMicrophone(document.getElementById("record"), (blob, name) => addCard(blob, name, options()));

addEventListener("beforeunload", (event) => {
  if (somethingIsUnsent() || recordingIsUnsent()) event.preventDefault();
});

// From here on nothing that is dropped or chosen is missed.
document.getElementById("home").dataset.ready = "";
