// One sent recording: its upload, its way to text, and what can be done with it.

import { follow } from "./follow.js";
import { bytes, parts, say, show } from "./page.js";
import { send } from "./upload.js";

const cards = document.getElementById("cards");
const template = document.getElementById("card");
const home = document.getElementById("home");
const NO_ID = "00000000-0000-0000-0000-000000000000";
/** Cards whose file is not with the service yet. */
const unsent = new Set();

export function somethingIsUnsent() {
  return unsent.size > 0;
}

/** Send a file and show what becomes of it. `options` are [field, value] of the API. */
export function addCard(file, name, options) {
  const item = template.content.firstElementChild.cloneNode(true);
  const shown = parts(item, "card");
  shown.name.textContent = name;
  shown.progress.setAttribute("aria-label", name);
  // One key for this recording, however often it has to be sent.
  const key = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
  let stopping;

  async function start() {
    unsent.add(item);
    stopping = new AbortController();
    shown.again.hidden = shown.save.hidden = true;
    shown.stop.hidden = shown.progress.hidden = false;
    shown.progress.value = 0;
    show(shown.error, "");
    let row;
    try {
      row = await send(home.dataset.create, file, name, options, {
        key,
        signal: stopping.signal,
        onProgress(sent, total) {
          shown.progress.value = sent / total;
          shown.state.textContent = sent < total
            ? say("uploading", { sent: bytes(sent), total: bytes(total) })
            : say("upload_ended");
        },
      });
    } catch (error) {
      shown.state.textContent = "";
      show(shown.error, error.name === "AbortError" ? say("aborted") : error.message);
      shown.again.hidden = shown.save.hidden = false;
      shown.stop.hidden = shown.progress.hidden = true;
      if (!shown.save.href) {
        shown.save.href = URL.createObjectURL(file);
        shown.save.download = name;
      }
      if (error.name === "AbortError") unsent.delete(item);
      return;
    }
    unsent.delete(item);
    await toText(row);
  }

  async function toText(row) {
    shown.stop.hidden = true;
    shown.progress.value = 0;
    const url = new URL(row.url, location.href).pathname;
    const page = home.dataset.page.replace(NO_ID, row.id);
    shown.page.href = page;
    shown.page.hidden = false;
    const over = await follow(url, `${page}place/`, shown);
    if (over?.text) {
      shown.copy.hidden = shown.downloads.hidden = false;
      for (const link of shown.downloads.querySelectorAll("a")) {
        link.href = `${url}download/?format=${link.dataset.format}`;
      }
    }
  }

  shown.stop.addEventListener("click", () => stopping.abort());
  shown.again.addEventListener("click", start);
  shown.copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(shown.text.textContent);
      shown.state.textContent = say("copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(shown.text);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      shown.state.textContent = say("copy_failed");
    }
  });
  cards.prepend(item);
  start();
}
