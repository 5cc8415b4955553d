/** Keeps the page and the server in step: opening, polling, conflicts, edits that were left. */

import { ApiError } from "./api.js";
import { sameText } from "./transcript.js";

const POLL_MS = 5_000;

export class Sync extends EventTarget {
  /** `isBusy(key)`: somebody is composing a character in this segment. */
  constructor({ transcript, queue, api, store, session, isBusy }) {
    super();
    Object.assign(this, { transcript, queue, api, store, session, isBusy });
    queue.onConflict = (batch, data) => this.#conflict(batch, data);
    queue.onRefused = (batch, error) => this.#refused(batch, error);
  }

  /** Load the transcript, with what a closed page of this browser left unsent on top of it. */
  async open() {
    const [answer, left] = await Promise.all([this.#ask(), this.store.left()]);
    this.#load(answer, left.flatMap((entry) => entry.operations));
    this.store.forget(left);
    this.pollTimer = setInterval(() => this.poll(), POLL_MS);
    document.addEventListener("visibilitychange", () => this.poll());
    return { recovered: left.length > 0 };
  }

  /** Load all of it again, with the unsent edits on top. */
  async reload() {
    this.#load(await this.#ask(), this.queue.operations);
  }

  /** Ask what others changed; this also says that somebody looks at the page. */
  poll() {
    if (document.hidden) return undefined;
    return this.queue.alone(async () => {
      // An order of segments that knows nothing of a split on its way would undo it.
      if (this.queue.hasStructure) return;
      try {
        const after = { after: this.transcript.revision, session: this.session };
        const answer = await this.api.get("review/changes/", after);
        this.transcript.setPeople(answer.people ?? []);
        if (this.queue.hasStructure) return;
        this.#rescue(answer.removed ?? []);
        const keeps = (key) => this.queue.hasFor(key) || this.isBusy(key);
        this.transcript.apply(answer, { keeps });
        this.transcript.revision = answer.revision;
        this.#answered();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        this.#unanswered(error);
      }
    });
  }

  keepMine(key) {
    const { conflict } = this.transcript.get(key);
    this.transcript.get(key).revision = conflict.revision;
    this.transcript.setConflict(key, null);
    this.queue.rebase(key, conflict.revision);
  }

  takeTheirs(key) {
    const segment = this.transcript.get(key);
    const { conflict } = segment;
    segment.revision = conflict.revision;
    this.transcript.setConflict(key, null);
    this.queue.drop(key);
    this.transcript.setText(key, conflict.theirs);
  }

  #ask() {
    return this.api.get("review/", { session: this.session });
  }

  #load(answer, operations) {
    this.transcript.load(answer);
    this.queue.replace(this.#onTop(operations));
  }

  /** Apply unsent edits to the freshly loaded transcript; returns those still to be sent. */
  #onTop(operations) {
    const left = [];
    const begun = new Set();
    const names = new Map();
    for (const given of operations) {
      const { sending, ...one } = given;
      const nameOf = (key, id) => names.get(key) ?? this.transcript.keyOfId.get(id) ?? key;
      one.key = nameOf(one.key, one.id);
      one.nextKey = nameOf(one.nextKey, one.nextId);
      const segment = this.transcript.get(one.key);
      if (one.op === "lost") {
        left.push(one);
      } else if (!segment) {
        if (one.op === "text") left.push({ op: "lost", key: null, text: one.text });
        else this.#notice("not_applied");
      } else if (one.op === "text") {
        // A revision that is not the one seen is told by the server, with its author.
        if (begun.has(one.key) || !sameText(segment.text, one.text)) left.push(one);
        this.transcript.setText(one.key, one.text);
        begun.add(one.key);
      } else {
        const isAsSeen = begun.has(one.key) || segment.revision === one.revision;
        const stays = isAsSeen ? this.#again(one, begun) : this.#wasDone(one, names);
        if (stays === "send") left.push(one);
        if (stays === "no") this.#notice("not_applied");
        for (const key of [one.key, one.newKey]) if (key) begun.add(key);
      }
    }
    if (left.some((one) => one.op === "lost")) {
      queueMicrotask(() => this.queue.dispatchEvent(new Event("lost")));
    }
    return left;
  }

  #again(one, begun) {
    if (one.op === "times") {
      this.transcript.setTimes(one.key, one.start, one.end);
    } else if (one.op === "split") {
      this.transcript.split(one.key, one);
    } else {
      const next = this.transcript.get(one.nextKey);
      if (!next || this.transcript.neighbour(one.key, 1) !== one.nextKey) return "no";
      if (!begun.has(one.nextKey) && next.revision !== one.nextRevision) return "no";
      this.transcript.merge(one.key, one.merged);
    }
    return "send";
  }

  /** Whether the server had applied it, and only its answer was lost. */
  #wasDone(one, names) {
    const segment = this.transcript.get(one.key);
    if (one.op === "times") {
      return segment.start === one.start && segment.end === one.end ? "done" : "no";
    }
    if (one.op === "merge") {
      return !this.transcript.get(one.nextKey) && sameText(segment.text, one.merged) ? "done" : "no";
    }
    const nextKey = this.transcript.neighbour(one.key, 1);
    const next = nextKey && this.transcript.get(nextKey);
    if (!next || !sameText(segment.text, one.left) || !sameText(next.text, one.right)) return "no";
    names.set(one.newKey, nextKey);
    return "done";
  }

  async #conflict(batch, data) {
    const byId = new Map(data.conflicts.map((one) => [one.id, one]));
    let reload = false;
    let isToldOf = false;
    for (const one of batch) {
      const segment = this.transcript.get(one.key);
      const found = byId.get(segment?.id) ?? (one.op === "merge" ? data.conflicts[0] : undefined);
      if (!found) continue;
      isToldOf = true;
      if (one.op !== "text" || found.text === null) {
        reload = true;
      } else if (sameText(found.text, one.text)) {
        // It had arrived, or somebody wrote the same.
        segment.revision = found.revision;
        this.queue.drop(one.key);
      } else {
        this.transcript.setConflict(one.key, {
          theirs: found.text,
          revision: found.revision,
          author: found.author,
          changedAt: found.changed_at,
        });
        this.#notice("conflict_here", { author: found.author ?? "" });
      }
    }
    if (reload) await this.#reloadOrDrop(batch);
    // Sent as they are, they would meet the same answer for ever.
    else if (!isToldOf) await this.#giveUp(batch);
  }

  async #refused(batch, error) {
    this.#notice("refused", { message: error.message });
    await this.#giveUp(batch);
  }

  async #giveUp(batch) {
    this.queue.operations = this.queue.operations.filter((one) => !batch.includes(one));
    for (const one of batch) if (one.op === "text") this.queue.addLost(one.text);
    await this.#reloadOrDrop([]);
  }

  async #reloadOrDrop(batch) {
    try {
      await this.reload();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#unanswered(error);
      // Sent again, they would be refused again for ever.
      const kept = this.queue.operations.filter((one) => !batch.includes(one));
      this.queue.replace(kept);
      for (const one of batch) if (one.op === "text") this.queue.addLost(one.text);
    }
  }

  /** Unsent text of segments that others have removed is kept aside. */
  #rescue(removed) {
    for (const id of removed) {
      const key = this.transcript.keyOfId.get(id);
      const unsent = this.queue.operations.filter((one) => key && one.key === key);
      if (!unsent.length) continue;
      this.queue.drop(key);
      const text = unsent.findLast((one) => one.op === "text");
      if (text) this.queue.addLost(text.text);
      else this.#notice("not_applied");
    }
  }

  #answered() {
    if (this.isAway) {
      this.isAway = false;
      this.dispatchEvent(new Event("back"));
      this.queue.resume();
    }
  }

  #unanswered(error) {
    this.isAway = true;
    this.dispatchEvent(new CustomEvent("away", { detail: error }));
  }

  #notice(name, values = {}) {
    this.dispatchEvent(new CustomEvent("notice", { detail: { name, values } }));
  }
}
