/** Shows, below a row, what somebody else made of it, and lets the person decide. */

import { element, say } from "./words.js";

export class Conflicts {
  constructor({ transcript, rows, sync }) {
    Object.assign(this, { transcript, rows, sync });
    transcript.addEventListener("conflict", ({ detail: { key } }) => this.#show(key));
  }

  /** Decide for the row that the person is in; returns whether there was anything to decide. */
  decide(key, keepMine) {
    if (!this.transcript.get(key)?.conflict) return false;
    if (keepMine) this.sync.keepMine(key);
    else this.sync.takeTheirs(key);
    this.rows.textOf(key).focus();
    return true;
  }

  #show(key) {
    const row = this.rows.rowOf(key);
    const { conflict } = this.transcript.get(key);
    row.querySelector(".conflict")?.remove();
    row.classList.toggle("in-conflict", Boolean(conflict));
    if (!conflict) return;
    const at = conflict.changedAt && new Date(conflict.changedAt);
    const time = at ? at.toLocaleTimeString(document.documentElement.lang) : "";
    const words = say("conflict", { author: conflict.author || say("somebody"), time });
    const box = element("div", "", { class: "conflict", role: "group", "aria-label": words });
    const theirs = element("q", conflict.theirs);
    box.append(element("p", words), theirs, element("p", say("conflict_yours")));
    for (const keepMine of [true, false]) {
      const name = keepMine ? "keep_mine" : "take_theirs";
      const button = element("button", say(name), { type: "button" });
      button.addEventListener("click", () => this.decide(key, keepMine));
      box.append(button, " ");
    }
    row.append(box);
  }
}
