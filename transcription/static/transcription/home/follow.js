// Follows one transcription by server-sent events until it is over.

import { percent, say, show } from "./page.js";

const WITHOUT_SPACES = new Set(["zh", "ja", "yue", "th", "lo", "my", "km", "bo"]);
const PLACE_EVERY_MS = 3000;
const DETAIL_TRIES = 5;

/**
 * Show state, progress and growing text in the elements `state`, `progress`, `text` and `error`.
 * Resolves to the transcription when it is over, or null when it was deleted.
 */
export function follow(url, placeUrl, shown) {
  return new Promise((resolve) => {
    const source = new EventSource(`${url}events/`);
    let segments = [];
    let waiting = null;

    function stopWaiting() {
      clearTimeout(waiting);
      waiting = null;
    }
    async function lookForPlace() {
      try {
        const answer = await fetch(placeUrl, { headers: { Accept: "application/json" } });
        const before = answer.ok ? (await answer.json()).before : null;
        if (waiting !== null && before !== null) {
          shown.state.textContent = before ? say("queued_before", { count: before }) : say("queued");
        }
      } catch {
        // The stream says that the connection is broken; this only counts.
      }
      if (waiting !== null) waiting = setTimeout(lookForPlace, PLACE_EVERY_MS);
    }
    function showText() {
      segments.sort((one, other) => one.start_seconds - other.start_seconds);
      let text = "";
      for (const segment of segments) {
        const space = text && !WITHOUT_SPACES.has(segment.language) ? " " : "";
        text += space + segment.text.trim();
      }
      const atEnd = shown.text.scrollHeight - shown.text.scrollTop - shown.text.clientHeight < 40;
      show(shown.text, text);
      if (atEnd) shown.text.scrollTop = shown.text.scrollHeight;
    }

    source.addEventListener("open", () => show(shown.error, ""));
    source.addEventListener("error", () => show(shown.error, say("connection_lost")));
    source.addEventListener("progress", (event) => {
      const state = JSON.parse(event.data);
      shown.progress.value = state.progress;
      if (state.status === "queued") {
        shown.state.textContent = say("queued");
        if (waiting === null) waiting = setTimeout(lookForPlace, 0);
      } else {
        stopWaiting();
        shown.state.textContent = say("processing", { percent: percent(state.progress) });
      }
    });
    source.addEventListener("segment", (event) => {
      segments.push(JSON.parse(event.data));
      showText();
    });
    source.addEventListener("reset", () => {
      segments = [];
      showText();
    });
    source.addEventListener("gone", () => {
      stopWaiting();
      source.close();
      shown.state.textContent = say("gone");
      resolve(null);
    });
    source.addEventListener("end", async (event) => {
      stopWaiting();
      source.close();
      shown.progress.hidden = true;
      resolve(await finished(url, JSON.parse(event.data), shown));
    });
  });
}

/** Fetch the finished text, which may be better written than what was streamed. */
async function finished(url, end, shown) {
  for (let attempt = 1; attempt <= DETAIL_TRIES; attempt += 1) {
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const row = await answer.json();
        show(shown.error, "");
        show(shown.text, row.text);
        return showEnd(row, shown);
      }
    } catch {
      show(shown.error, say("connection_lost"));
    }
    await new Promise((wait) => setTimeout(wait, 1000 * attempt));
  }
  return showEnd(end, shown);
}

function showEnd(row, shown) {
  if (row.status === "failed") {
    shown.state.textContent = "";
    show(shown.error, say("failed", { message: row.error?.message ?? "" }));
  } else if (row.status === "cancelled") {
    shown.state.textContent = say("cancelled");
  } else {
    shown.state.textContent = say(row.warnings.includes("no_speech") ? "no_speech" : "completed");
  }
  return row;
}
