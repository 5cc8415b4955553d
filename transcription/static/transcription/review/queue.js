/**
 * Sends this page's edits, one request after the other, and keeps them until they have arrived.
 *
 * An operation as it is kept: {op, key, revision, …}; `revision` is the one of the segment that
 * the person saw; op is text, times, split or merge as the service knows them, or "lost" for text
 * whose segment is gone. A request carries either one split or merge, or texts and times of different
 * segments, so that each segment is changed once by it.
 */

import { ApiError } from "./api.js";

/** After the last key, and while somebody goes on typing. */
const QUIET_MS = 700;
const LONGEST_MS = 1_700;
/** Until what was typed is in localStorage. */
const KEEP_MS = 150;
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
const MOST_OPERATIONS = 200;

export class SaveQueue extends EventTarget {
  constructor({ transcript, api, store, session }) {
    super();
    Object.assign(this, { transcript, api, store, session });
    /** Set by who decides about conflicts: (batch, data) and (batch, error), both async. */
    this.onConflict = null;
    this.onRefused = null;
    this.operations = [];
    /** saved, waiting, sending, offline, login, approved, gone, unkept */
    this.state = "saved";
    this.failures = 0;
    this.retryAt = 0;
    this.oldestUnsent = 0;
    this.chain = Promise.resolve();
  }

  /** Keep text that has no place in the transcript any more, until `discard`. */
  addLost(text) {
    this.operations.push({ op: "lost", key: null, text });
    this.keep();
    this.dispatchEvent(new Event("lost"));
  }

  get lost() {
    return this.operations.filter((one) => one.op === "lost");
  }

  discard(lost) {
    this.operations = this.operations.filter((one) => one !== lost);
    this.keep();
    this.#settle();
    this.dispatchEvent(new Event("lost"));
  }

  get isEmpty() {
    return this.operations.length === 0;
  }

  hasFor(key) {
    return this.operations.some((one) => one.key === key || one.nextKey === key);
  }

  get hasStructure() {
    return this.operations.some((one) => one.op === "split" || one.op === "merge");
  }

  /** Text of a segment; replaces an unsent text of the same one. */
  addText(key, text) {
    const last = this.operations.findLast((one) => touches(one, key));
    if (last && last.op === "text" && !last.sending) last.text = text;
    else this.#append({ op: "text", key, text });
    this.#schedule();
  }

  addTimes(key, start, end) {
    this.#append({ op: "times", key, start, end });
    this.#schedule(0);
  }

  /** `at`: in characters of Unicode, as the server counts. */
  addSplit(key, { at, seconds, newKey, left, right }) {
    this.#append({ op: "split", key, at, seconds, newKey, left, right });
    this.#schedule(0);
  }

  addMerge(key, nextKey, merged) {
    const { id: nextId, revision: nextRevision } = this.transcript.get(nextKey);
    this.#append({ op: "merge", key, nextKey, nextId, nextRevision, merged });
    this.#schedule(0);
  }

  /** Forget the unsent edits of a segment. */
  drop(key) {
    this.operations = this.operations.filter((one) => one.key !== key);
    this.keep();
    this.#settle();
  }

  /** The person has decided: the unsent edits of the segment are meant for this revision. */
  rebase(key, revision) {
    for (const one of this.operations) {
      if (one.key === key) one.revision = revision;
      if (one.nextKey === key) one.nextRevision = revision;
    }
    this.keep();
    this.#schedule(0);
  }

  /** Take these instead (after a reload of the document). */
  replace(operations) {
    this.operations = operations;
    this.keep();
    if (operations.length) this.#schedule(0);
    else this.#settle();
  }

  /** Write to localStorage now. */
  keep() {
    clearTimeout(this.keepTimer);
    this.keepTimer = 0;
    const kept = this.store.write(this.operations.map(({ sending, ...one }) => one));
    if (!kept && !this.isEmpty) this.#become("unkept");
  }

  /** Send what there is; resolves when it has arrived or when it is known that it has not. */
  flush({ leaving = false } = {}) {
    clearTimeout(this.sendTimer);
    this.keep();
    return this.alone(() => this.#sendAll(leaving));
  }

  /** Run this while nothing else talks to the server about edits. */
  alone(work) {
    this.chain = this.chain.then(work, work);
    return this.chain;
  }

  /** What stood in the way is gone: logged in again, reopened, back online. */
  resume() {
    if (this.isEmpty) return;
    this.failures = 0;
    this.#schedule(0);
  }

  #append(operation) {
    const { id, revision } = this.transcript.get(operation.key);
    this.operations.push({ id, revision, ...operation });
  }

  #schedule(delay = QUIET_MS) {
    if (!this.keepTimer) this.keepTimer = setTimeout(() => this.keep(), KEEP_MS);
    if (["offline", "login", "approved", "gone"].includes(this.state) && this.failures) return;
    if (!this.oldestUnsent) this.oldestUnsent = performance.now();
    const latest = this.oldestUnsent + LONGEST_MS - performance.now();
    clearTimeout(this.sendTimer);
    this.sendTimer = setTimeout(() => this.flush(), Math.max(0, Math.min(delay, latest)));
    if (this.state === "saved") this.#become("waiting");
  }

  async #sendAll(leaving) {
    this.oldestUnsent = 0;
    let batch;
    while ((batch = this.#nextBatch()).length) {
      for (const one of batch) one.sending = true;
      this.#become("sending");
      try {
        const body = { operations: batch.map((one) => this.#onTheWire(one)), session: this.session };
        const answer = await this.api.post("review/", body, { leaving });
        this.#arrived(batch, answer);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!(await this.#failed(batch, error))) return;
      } finally {
        for (const one of batch) delete one.sending;
      }
    }
    this.#settle();
  }

  #settle() {
    if (this.isEmpty) this.#become("saved");
    else if (this.#nextBatch().length === 0) this.#become("conflict");
  }

  #nextBatch() {
    const batch = [];
    const held = new Set();
    const seen = new Set();
    for (const one of this.operations) {
      // Text that has no place any more is kept until the person has seen it.
      if (one.op === "lost") continue;
      const keys = [one.key, one.nextKey, one.newKey].filter((key) => key);
      if (keys.some((key) => held.has(key) || this.transcript.get(key)?.conflict)) {
        // It waits for the person's decision, and so does what builds on it.
        for (const key of keys) held.add(key);
        continue;
      }
      const isStructure = one.op === "split" || one.op === "merge";
      if (seen.has(one.key) || (isStructure && batch.length)) break;
      seen.add(one.key);
      batch.push(one);
      if (isStructure || batch.length === MOST_OPERATIONS) break;
    }
    return batch;
  }

  #onTheWire(one) {
    const id = this.#idOf(one.key);
    const { op, revision } = one;
    switch (op) {
      case "text":
        return { op, id, revision, text: one.text };
      case "times":
        return { op, id, revision, start_seconds: one.start, end_seconds: one.end };
      case "split":
        return { op, id, revision, at_character: one.at, at_seconds: one.seconds ?? null };
      default:
        return {
          ...{ op, id, revision },
          next_id: this.#idOf(one.nextKey),
          next_revision: one.nextRevision,
        };
    }
  }

  #idOf(key) {
    return this.transcript.idOfKey.get(key);
  }

  #arrived(batch, answer) {
    this.failures = 0;
    this.operations = this.operations.filter((one) => !batch.includes(one));
    const [first] = batch;
    if (first.op === "split") this.#nameSecondHalf(first, answer);
    const revisions = new Map((answer.changed ?? []).map((one) => [one.id, one.revision]));
    for (const one of this.operations) {
      one.revision = revisions.get(this.#idOf(one.key)) ?? one.revision;
      if (one.nextKey) {
        one.nextRevision = revisions.get(this.#idOf(one.nextKey)) ?? one.nextRevision;
      }
    }
    this.transcript.apply(answer, { keeps: (key) => this.hasFor(key), own: true });
    this.keep();
    this.dispatchEvent(new Event("arrived"));
  }

  #nameSecondHalf(split, answer) {
    const known = this.transcript.keyOfId;
    const made = answer.changed.find((one) => !known.has(one.id));
    if (!made) return;
    this.transcript.name(split.newKey, made);
    for (const one of this.operations) {
      // Another page that takes these over knows the number alone.
      if (one.key === split.newKey) one.id = made.id;
      if (one.nextKey === split.newKey) one.nextId = made.id;
    }
  }

  /** Returns whether there is a point in going on at once. */
  async #failed(batch, error) {
    if (error.status === 409 && error.code === "review_conflict") {
      this.failures = 0;
      await this.onConflict(batch, error.data);
      return true;
    }
    const isAboutThese = error.status === 409 && error.code !== "review_approved";
    if (isAboutThese || [400, 422].includes(error.status) || error.code === "segment_unknown") {
      await this.onRefused(batch, error);
      return true;
    }
    this.failures += 1;
    const pause = PAUSES_MS[Math.min(this.failures, PAUSES_MS.length) - 1];
    this.retryAt = Date.now() + pause;
    if (error.status === 401 || error.status === 403) this.#become("login");
    else if (error.status === 404) this.#become("gone");
    else if (error.status === 409) {
      this.transcript.setState("approved");
      this.#become("approved");
    } else this.#become("offline");
    if (this.state !== "gone" && this.state !== "approved") {
      clearTimeout(this.retryTimer);
      this.retryTimer = setTimeout(() => this.flush(), pause);
    }
    return false;
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

function touches(operation, key) {
  return operation.key === key || operation.nextKey === key || operation.newKey === key;
}
