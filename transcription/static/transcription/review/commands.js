/** What a person can do to the text, and how each of these is undone. */

import { joined, sameText } from "./transcript.js";
import { uuid } from "./words.js";

/** Keys that follow each other faster than this are undone together. */
const BURST_MS = 1_500;
const MOST_STEPS = 500;

export class Commands {
  constructor({ transcript, queue }) {
    Object.assign(this, { transcript, queue });
    this.done = [];
    this.undone = [];
    /** A segment that was merged and split again has another key than before. */
    this.names = new Map();
    this.lastTypedAt = 0;
  }

  /** The row shows this text already. */
  typed(key, text) {
    const before = this.transcript.get(key).text;
    if (before === text) return;
    this.transcript.setText(key, text, { typed: true });
    this.queue.addText(key, text);
    const last = this.done.at(-1);
    const now = performance.now();
    if (last?.burst === key && now - this.lastTypedAt < BURST_MS) last.changes[0].after = text;
    else this.#remember({ kind: "text", burst: key, changes: [{ key, before, after: text }] });
    this.lastTypedAt = now;
    this.undone = [];
  }

  /** Set texts that no row shows yet; changes: [{key, after}]. Undone together. */
  rewrite(changes) {
    const whole = changes.map(({ key, after }) => {
      const before = this.transcript.get(key).text;
      this.#setText(key, after);
      return { key, before, after };
    });
    this.#remember({ kind: "text", changes: whole });
    this.undone = [];
  }

  /** Remember texts that the server has rewritten; changes: [{key, before, after}]. */
  wasRewritten(changes) {
    if (changes.length) this.#remember({ kind: "text", changes });
    this.undone = [];
  }

  /** Split at this index of the string; returns the new segment's key, or null at an end. */
  split(key, at) {
    const step = this.#split(key, at);
    if (!step) return null;
    this.#remember(step);
    this.undone = [];
    return step.newKey;
  }

  /** Merge with the segment after it; returns where the two meet, or -1 at the last one. */
  merge(key) {
    const step = this.#merge(key);
    if (!step) return -1;
    this.#remember(step);
    this.undone = [];
    return step.merged.length - step.right.length;
  }

  /** Returns whether these are possible times. */
  times(key, start, end) {
    const segment = this.transcript.get(key);
    if (!(start >= 0 && end > start)) return false;
    const before = [segment.start, segment.end];
    this.#setTimes(key, start, end);
    this.#remember({ kind: "times", key, before, after: [start, end] });
    this.undone = [];
    return true;
  }

  /** Returns the key to go to, null when there is nothing, or "changed" when others were there. */
  undo() {
    const step = this.done.pop();
    if (!step) return null;
    const outcome = this.#reverse(step);
    if (outcome !== "changed") this.undone.push(step);
    return outcome;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return null;
    const outcome = this.#repeat(step);
    if (outcome !== "changed") this.done.push(step);
    return outcome;
  }

  #reverse(step) {
    const key = this.#now(step.key);
    switch (step.kind) {
      case "text":
        return this.#exchange(step.changes.map(({ key: at, before, after }) => [at, after, before]));
      case "times":
        return this.#exchangeTimes(key, step.after, step.before);
      case "split": {
        if (this.transcript.neighbour(key, 1) !== this.#now(step.newKey)) return "changed";
        const { left, right } = this.#merge(key);
        const untouched = sameText(left, step.left) && sameText(right, step.right);
        if (untouched) this.#setText(key, step.before);
        return key;
      }
      default: {
        const segment = this.transcript.get(key);
        if (!segment || !sameText(segment.text, step.merged)) return "changed";
        const at = segment.text.indexOf(step.right, step.left.length);
        const again = this.#split(key, at, step.leftTimes[1]);
        if (!again) return "changed";
        this.names.set(step.gone, again.newKey);
        this.#setText(key, step.left);
        this.#setText(again.newKey, step.right);
        // There may have been a pause between the two.
        if (step.rightTimes[0] > step.leftTimes[1]) {
          this.#setTimes(again.newKey, ...step.rightTimes);
        }
        return key;
      }
    }
  }

  #repeat(step) {
    const key = this.#now(step.key);
    switch (step.kind) {
      case "text":
        return this.#exchange(step.changes.map(({ key: at, before, after }) => [at, before, after]));
      case "times":
        return this.#exchangeTimes(key, step.before, step.after);
      case "split": {
        const segment = this.transcript.get(key);
        if (!segment || !sameText(segment.text, step.before)) return "changed";
        const again = this.#split(key, step.at);
        if (!again) return "changed";
        this.names.set(step.newKey, again.newKey);
        return key;
      }
      default:
        if (this.transcript.neighbour(key, 1) !== this.#now(step.gone)) return "changed";
        this.#merge(key);
        return key;
    }
  }

  /** All of [key, expected, wanted], or none where somebody else has changed one of them. */
  #exchange(changes) {
    const now = changes.map(([key, expected, wanted]) => [this.#now(key), expected, wanted]);
    const asExpected = ([key, expected]) => {
      const segment = this.transcript.get(key);
      return segment && sameText(segment.text, expected);
    };
    if (!now.every(asExpected)) return "changed";
    for (const [key, , wanted] of now) this.#setText(key, wanted);
    return now[0][0];
  }

  #exchangeTimes(key, expected, wanted) {
    const segment = this.transcript.get(key);
    const near = (one, other) => Math.abs(one - other) < 0.005;
    if (!segment || !near(segment.start, expected[0]) || !near(segment.end, expected[1])) {
      return "changed";
    }
    this.#setTimes(key, ...wanted);
    return key;
  }

  /** `seconds`: when, if that is known; otherwise the server finds it between the words. */
  #split(key, at, seconds = null) {
    const before = this.transcript.get(key).text;
    const left = before.slice(0, at).trimEnd();
    const right = before.slice(at).trimStart();
    if (!left.trim() || !right) return null;
    const newKey = `new-${uuid()}`;
    // The server counts characters of Unicode, of the text without blanks around it.
    const characters = [...left.trimStart()].length;
    this.queue.addSplit(key, { at: characters, seconds, newKey, left, right });
    this.transcript.split(key, { left, right, newKey, seconds });
    return { kind: "split", key, newKey, before, left, right, at };
  }

  #merge(key) {
    const gone = this.transcript.neighbour(key, 1);
    if (gone === undefined) return null;
    const [first, second] = [this.transcript.get(key), this.transcript.get(gone)];
    const [left, right] = [first.text.trimEnd(), second.text.trimStart()];
    const merged = joined(left, right);
    const leftTimes = [first.start, first.end];
    const rightTimes = [second.start, second.end];
    this.queue.addMerge(key, gone, merged);
    this.transcript.merge(key, merged);
    return { kind: "merge", key, gone, left, right, merged, leftTimes, rightTimes };
  }

  #setText(key, text) {
    if (this.transcript.get(key).text === text) return;
    this.transcript.setText(key, text);
    this.queue.addText(key, text);
  }

  #setTimes(key, start, end) {
    this.transcript.setTimes(key, start, end);
    this.queue.addTimes(key, start, end);
  }

  #now(key) {
    let name = key;
    while (this.names.has(name)) name = this.names.get(name);
    return name;
  }

  #remember(step) {
    this.done.push(step);
    if (this.done.length > MOST_STEPS) this.done.shift();
  }
}
