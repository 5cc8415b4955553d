/** Begin and end of a segment, in a dialog and from where the sound is. */

import { clock, say } from "./words.js";

const SHORTEST_SECONDS = 0.05;

export class Times {
  constructor({ dialog, transcript, commands, rows, status }) {
    Object.assign(this, { dialog, transcript, commands, rows, status });
    this.form = dialog.querySelector("form");
    this.form.addEventListener("submit", (event) => {
      if (event.submitter?.value !== "set") return;
      const { start, end } = this.form.elements;
      if (this.#set(this.key, Number(start.value), Number(end.value))) return;
      event.preventDefault();
      this.form.querySelector("[role=alert]").textContent = say("times_impossible");
    });
    dialog.addEventListener("close", () => this.rows.textOf(this.key)?.focus());
  }

  open(key) {
    const segment = this.transcript.get(key);
    if (!segment) return;
    this.key = key;
    const { start, end } = this.form.elements;
    start.value = segment.start.toFixed(2);
    end.value = segment.end.toFixed(2);
    this.form.querySelector("[role=alert]").textContent = "";
    this.dialog.showModal();
    start.select();
  }

  /** Let the segment begin, or end, at this second. */
  setEdge(key, edge, seconds) {
    const segment = this.transcript.get(key);
    if (!segment) return;
    const start = edge === "start" ? seconds : segment.start;
    const end = edge === "end" ? seconds : segment.end;
    const isSet = this.#set(key, start, end);
    const words = isSet
      ? say("times_set", { start: clock(start), end: clock(end) })
      : say("times_impossible");
    this.status.tell(words);
  }

  #set(key, start, end) {
    const { transcript } = this;
    const segment = transcript.get(key);
    const before = transcript.get(transcript.neighbour(key, -1));
    const after = transcript.get(transcript.neighbour(key, 1));
    // What overlaps already may go on to.
    const earliest = Math.min(before?.end ?? 0, segment.start);
    const latest = Math.max(after?.start ?? Infinity, segment.end);
    const isPossible = start >= earliest && end <= latest && end - start >= SHORTEST_SECONDS;
    return isPossible && this.commands.times(key, start, end);
  }
}
