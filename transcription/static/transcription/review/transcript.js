/**
 * The transcript as this page shows it: what the server has, with this page's own edits on top.
 *
 * A segment is known by its `key`, which never changes; `id` is the server's, and null for the
 * second half of a split that is still on its way. Listeners are told what changed.
 */

export class Transcript extends EventTarget {
  constructor() {
    super();
    this.segments = new Map();
    this.order = [];
    /** Up to which everything that others changed is here. */
    this.revision = 0;
    this.state = "unreviewed";
    this.people = [];
    this.keyOfId = new Map();
    /** Stays when a segment goes: edits of it that come before its merging are sent by it. */
    this.idOfKey = new Map();
  }

  get(key) {
    return this.segments.get(key);
  }

  /** The key before or after this one; undefined at the ends. */
  neighbour(key, step) {
    return this.order[this.order.indexOf(key) + step];
  }

  /** Take all of it from an answer of GET review/. */
  load(answer) {
    const former = this.keyOfId;
    this.segments.clear();
    this.keyOfId = new Map();
    this.order = answer.segments.map((one) => {
      const key = former.get(one.id) ?? String(one.id);
      this.segments.set(key, fromAnswer(key, one));
      this.#know(key, one.id);
      return key;
    });
    this.revision = answer.revision;
    this.setState(answer.review_state);
    this.setPeople(answer.people ?? []);
    this.#tell("loaded");
  }

  /**
   * Take changed, removed and order from the server. Of the segments that this page has unsent
   * edits of (`keeps`) the text stays; where others changed them (not `own`) all of it stays, so
   * that the edit arrives with the revision that its author saw, and is told of the conflict.
   */
  apply(answer, { keeps = () => false, own = false } = {}) {
    const orderedBefore = this.order;
    for (const id of answer.removed ?? []) {
      const key = this.keyOfId.get(id);
      if (this.segments.has(key)) this.#remove(key);
    }
    for (const one of answer.changed ?? []) {
      const key = this.keyOfId.get(one.id);
      if (!this.segments.has(key)) {
        // Merged away here already, if this page still has something to say about it.
        if (key === undefined || !keeps(key)) this.#insertByTime(key ?? String(one.id), one);
      } else if (own || !keeps(key)) this.#update(key, one, keeps(key));
    }
    if (answer.order) {
      const keys = answer.order.map((id) => this.keyOfId.get(id));
      const known = keys.filter((key) => this.segments.has(key));
      const onTheirWay = this.order.filter((key) => this.get(key).id === null);
      // What the server does not know yet stays behind the one that it was split from.
      for (const key of onTheirWay) {
        const before = this.order[this.order.indexOf(key) - 1];
        known.splice(known.indexOf(before) + 1, 0, key);
      }
      this.order = known;
    }
    if (answer.review_state) this.setState(answer.review_state);
    if (!sameList(orderedBefore, this.order)) this.#tell("order");
  }

  setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.#tell("state");
  }

  setPeople(people) {
    if (sameList(this.people, people)) return;
    this.people = people;
    this.#tell("people");
  }

  /** `typed`: the row shows it already. */
  setText(key, text, { typed = false } = {}) {
    const segment = this.get(key);
    if (segment.text === text) return;
    segment.text = text;
    this.#tell("text", { key, typed });
  }

  setTimes(key, start, end) {
    Object.assign(this.get(key), { start, end });
    this.#tell("times", { key });
  }

  setConflict(key, conflict) {
    this.get(key).conflict = conflict;
    this.#tell("conflict", { key });
  }

  /** Show the segment as two at once; the times are a guess until the server answers. */
  split(key, { left, right, newKey, seconds = null }) {
    const segment = this.get(key);
    const share = segment.text.length ? left.length / segment.text.length : 0.5;
    const middle = seconds ?? segment.start + (segment.end - segment.start) * share;
    const words = segment.words;
    const second = {
      ...segment,
      key: newKey,
      id: null,
      revision: null,
      start: middle,
      text: right,
      words: words && words.filter((word) => word.start >= middle),
      conflict: null,
    };
    this.segments.set(newKey, second);
    this.order = [...this.order];
    this.order.splice(this.order.indexOf(key) + 1, 0, newKey);
    segment.end = middle;
    segment.words = words && words.filter((word) => word.start < middle);
    this.setText(key, left);
    this.#tell("times", { key });
    this.#tell("order");
  }

  /** Show the segment and the one after it as one. */
  merge(key, text) {
    const segment = this.get(key);
    const nextKey = this.neighbour(key, 1);
    const next = this.get(nextKey);
    segment.end = next.end;
    segment.words = segment.words || next.words
      ? [...(segment.words ?? []), ...(next.words ?? [])]
      : null;
    this.#remove(nextKey);
    this.setText(key, text);
    this.#tell("times", { key });
    this.#tell("order");
  }

  /** The server's name for a segment that was made here. */
  name(key, one) {
    this.#know(key, one.id);
    const segment = this.get(key);
    if (segment) segment.id = one.id;
  }

  #know(key, id) {
    this.keyOfId.set(id, key);
    this.idOfKey.set(key, id);
  }

  #update(key, one, keepsText) {
    const segment = this.get(key);
    const { text, ...rest } = fromAnswer(key, one);
    Object.assign(segment, rest, { conflict: segment.conflict });
    // Blanks at the end are no difference: somebody may be in the midst of a sentence.
    if (!keepsText && !sameText(text, segment.text)) this.setText(key, text);
    this.#tell("times", { key });
  }

  #insertByTime(key, one) {
    this.segments.set(key, fromAnswer(key, one));
    this.#know(key, one.id);
    const later = this.order.findIndex((other) => this.get(other).start > one.start_seconds);
    this.order = [...this.order];
    this.order.splice(later < 0 ? this.order.length : later, 0, key);
  }

  #remove(key) {
    this.segments.delete(key);
    this.order = this.order.filter((other) => other !== key);
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function fromAnswer(key, one) {
  return {
    key,
    id: one.id,
    revision: one.revision,
    start: one.start_seconds,
    end: one.end_seconds,
    text: one.text,
    language: one.language,
    words: one.words,
    conflict: null,
  };
}

/** Whether two texts differ by no more than blanks. */
export function sameText(one, other) {
  return one === other || one.replace(/\s+/g, " ").trim() === other.replace(/\s+/g, " ").trim();
}

function sameList(one, other) {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}，。！？、；：]/u;

/** Two texts as one: with a space between, except where the writing has none. */
export function joined(left, right) {
  if (!left || !right) return left || right;
  const between = UNSPACED.test([...left].at(-1)) || UNSPACED.test([...right][0]) ? "" : " ";
  return left + between + right;
}
