// Sends one file. XMLHttpRequest, since fetch does not tell how much has been sent.

import { csrfToken, say } from "./page.js";

/** What went wrong, in words for the person: `kind` is network, service or format. */
export class SendError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/**
 * Send a file; resolves to the transcription as the API describes it. `key` makes it safe to send
 * the same again: it becomes one job however often it arrives. Rejects with SendError, or with an
 * AbortError when `signal` was aborted.
 */
export function send(url, file, name, options, { key, signal, onProgress }) {
  const form = new FormData();
  for (const [field, value] of options) {
    if (value) form.append(field, value);
  }
  // The last, so that what belongs to it is known when it arrives.
  form.append("file", file, name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Idempotency-Key", key);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
    request.addEventListener("load", () => {
      let answer;
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        reject(new SendError("format", say("unreadable", { status: request.status })));
        return;
      }
      if (request.status === 202 && answer.id) {
        resolve(answer);
      } else if (request.status === 401 || answer.code === "csrf_failed") {
        reject(new SendError("service", say("logged_out")));
      } else if (answer.message) {
        reject(new SendError("service", say("refused", { message: answer.message })));
      } else {
        reject(new SendError("format", say("unreadable", { status: request.status })));
      }
    });
    request.addEventListener("error", () => reject(new SendError("network", say("network"))));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
