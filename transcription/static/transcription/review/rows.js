/** The rows of the transcript: shows the segments, and tells what is typed into them. */

import { caretIn, rangeOf, select } from "./caret.js";
import { doubtfulIn } from "./doubtful.js";
import { clock, element, say } from "./words.js";

/**
 * Rows of a block. The browser looks at every frame which blocks are seen, and lays out those
 * alone: with each of thousands of rows by itself, that would take longer than a key may.
 */
const ROWS_OF_BLOCK = 25;
/** Before and behind what is seen, doubtful words are marked as well. */
const MARKED_MARGIN = "400px";

/** Older browsers know no plain text; breaks and pasted text are looked after here anyway. */
const EDITABLE = (() => {
  try {
    document.createElement("div").contentEditable = "plaintext-only";
    return "plaintext-only";
  } catch {
    return "true";
  }
})();

export class Rows {
  /** `list`: the element around all rows; `onTyped(key, text)`: somebody typed. */
  constructor({ transcript, list, template, onTyped }) {
    Object.assign(this, { transcript, list, template, onTyped });
    this.rows = new Map();
    this.composing = null;
    this.current = null;
    this.marks = globalThis.Highlight ? new Highlight() : null;
    if (this.marks) CSS.highlights.set("doubtful", this.marks);
    this.ranges = new Map();
    this.seen = new IntersectionObserver((entries) => this.#mark(entries), {
      rootMargin: MARKED_MARGIN,
    });
    this.#listen();
    const on = (type, does) => transcript.addEventListener(type, ({ detail }) => does(detail));
    on("loaded", () => this.#render());
    on("order", () => this.#reorder());
    on("text", ({ key, typed }) => (typed ? this.#markRow(key) : this.#showText(key)));
    on("times", ({ key }) => this.#showTimes(key));
    on("state", () => this.#showState());
  }

  rowOf(key) {
    return this.rows.get(key)?.row;
  }

  textOf(key) {
    return this.rows.get(key)?.text;
  }

  /** The key of the row that an element is in. */
  keyAt(node) {
    const start = node instanceof Element ? node : node?.parentElement;
    return start?.closest("[data-key]")?.dataset.key;
  }

  /** The key of the row that is being edited, or was last. */
  get focusedKey() {
    return this.keyAt(document.activeElement) ?? this.lastFocused;
  }

  /** The caret of a row as [start, end]; null when it is elsewhere. */
  caret(key) {
    const text = this.textOf(key);
    return text ? caretIn(text) : null;
  }

  focus(key, start = 0, end = start) {
    const text = this.textOf(key);
    if (!text) return;
    text.focus({ preventScroll: true });
    select(text, start, end);
    this.rowOf(key).scrollIntoView({ block: "nearest" });
  }

  /** Mark the row that is being played. */
  setCurrent(key) {
    if (key === this.current) return;
    this.rowOf(this.current)?.removeAttribute("aria-current");
    this.current = key;
    this.rowOf(key)?.setAttribute("aria-current", "true");
  }

  #listen() {
    this.list.addEventListener("compositionstart", ({ target }) => {
      this.composing = this.keyAt(target);
    });
    this.list.addEventListener("compositionend", ({ target }) => {
      this.composing = null;
      this.#typed(target);
    });
    this.list.addEventListener("input", (event) => {
      // What an input method shows on the way to a character is nobody's text.
      if (!event.isComposing) this.#typed(event.target);
    });
    this.list.addEventListener("focusin", ({ target }) => {
      this.lastFocused = this.keyAt(target) ?? this.lastFocused;
    });
    this.list.addEventListener("paste", (event) => {
      event.preventDefault();
      const pasted = event.clipboardData.getData("text/plain").replace(/\s*[\r\n]+\s*/g, " ");
      // The one way that puts it where the caret is, as typing would.
      document.execCommand("insertText", false, pasted);
    });
    this.list.addEventListener("drop", (event) => event.preventDefault());
  }

  #typed(target) {
    const key = this.keyAt(target);
    if (this.transcript.get(key)) this.onTyped(key, this.textOf(key).textContent);
  }

  #render() {
    const place = this.#place();
    this.seen.disconnect();
    this.marks?.clear();
    this.ranges.clear();
    this.rows.clear();
    const { order } = this.transcript;
    const blocks = [];
    for (let at = 0; at < order.length; at += ROWS_OF_BLOCK) {
      const block = element("div", "", { class: "block" });
      block.append(...order.slice(at, at + ROWS_OF_BLOCK).map((key) => this.#make(key)));
      blocks.push(block);
    }
    this.list.replaceChildren(...blocks);
    for (const block of blocks) this.seen.observe(block);
    this.#showState();
    this.#return(place);
  }

  #make(key) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    row.dataset.key = key;
    const [play, text] = [row.querySelector(".play"), row.querySelector(".text")];
    this.rows.set(key, { row, play, text });
    const segment = this.transcript.get(key);
    text.textContent = segment.text;
    if (segment.language) text.lang = segment.language;
    this.#setEditable(text);
    this.#showTimes(key);
    return row;
  }

  #reorder() {
    const place = this.#place();
    const { order } = this.transcript;
    for (const key of [...this.rows.keys()]) {
      if (!this.transcript.get(key)) this.#drop(key);
    }
    order.forEach((key, at) => {
      if (this.rows.has(key)) return;
      const row = this.#make(key);
      const before = this.rowOf(order[at - 1]);
      const block = this.list.firstElementChild;
      if (before) before.after(row);
      else if (block) block.prepend(row);
      else this.#render();
      this.#markRow(key);
    });
    const shown = [...this.list.querySelectorAll("[data-key]")];
    const isInOrder = shown.every((row, at) => row.dataset.key === order[at]);
    // Others cannot move sentences but by taking an earlier text back.
    if (!isInOrder) this.#render();
    this.#return(place);
  }

  #drop(key) {
    const { row } = this.rows.get(key);
    this.#unmark(key);
    row.remove();
    this.rows.delete(key);
  }

  #showText(key) {
    const text = this.textOf(key);
    const segment = this.transcript.get(key);
    if (!text || text.textContent === segment.text) return;
    const caret = document.activeElement === text ? caretIn(text) : null;
    text.textContent = segment.text;
    if (caret) select(text, ...caret.map((place) => Math.min(place, segment.text.length)));
    this.#markRow(key);
  }

  #showTimes(key) {
    const { play, text } = this.rows.get(key) ?? {};
    if (!play) return;
    const time = clock(this.transcript.get(key).start);
    if (play.textContent === time) return;
    play.textContent = time;
    play.setAttribute("aria-label", say("play_from", { time }));
    text.setAttribute("aria-label", say("text_from", { time }));
  }

  #showState() {
    for (const { text } of this.rows.values()) this.#setEditable(text);
  }

  #setEditable(text) {
    const isOpen = this.transcript.state !== "approved";
    const wanted = isOpen ? EDITABLE : "false";
    if (text.contentEditable === wanted) return;
    text.contentEditable = wanted;
    text.setAttribute("aria-readonly", String(!isOpen));
    // It can still be gone to, and be read.
    text.tabIndex = 0;
  }

  /** Where the person is, so that a change of others leaves him there. */
  #place() {
    const key = this.keyAt(document.activeElement);
    return key && document.activeElement === this.textOf(key) ? [key, this.caret(key)] : null;
  }

  #return(place) {
    if (!place) return;
    const [key, caret] = place;
    const text = this.textOf(key);
    if (!text || document.activeElement === text) return;
    text.focus({ preventScroll: true });
    if (caret) select(text, ...caret);
  }

  // --- doubtful words

  #mark(entries) {
    for (const { target, isIntersecting } of entries) {
      for (const { dataset } of target.children) {
        if (isIntersecting) this.#markRow(dataset.key);
        else this.#unmark(dataset.key);
      }
    }
  }

  #markRow(key) {
    const known = this.rows.get(key);
    const segment = this.transcript.get(key);
    if (!known || !segment?.words) return;
    this.#unmark(key);
    const doubtful = doubtfulIn(segment);
    if (this.marks && doubtful.length) {
      const ranges = doubtful
        .map(({ start, end }) => rangeOf(known.text, start, end))
        .filter((range) => range);
      for (const range of ranges) this.marks.add(range);
      this.ranges.set(key, ranges);
    }
    this.#describe(known, doubtful);
  }

  #unmark(key) {
    for (const range of this.ranges.get(key) ?? []) this.marks.delete(range);
    this.ranges.delete(key);
  }

  /** For who does not see the marks. */
  #describe({ row, text }, doubtful) {
    let note = row.querySelector(".doubtful-note");
    if (!doubtful.length) {
      note?.remove();
      text.removeAttribute("aria-describedby");
      return;
    }
    if (!note) {
      note = element("span", "", { class: "doubtful-note visually-hidden" });
      note.id = `doubtful-${row.dataset.key}`;
      row.append(note);
      text.setAttribute("aria-describedby", note.id);
    }
    note.textContent = say("doubtful", { words: doubtful.map(({ word }) => word).join(", ") });
  }
}
