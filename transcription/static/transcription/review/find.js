/** Finds words in the whole transcript, and replaces them one by one or all at once. */

import { ApiError } from "./api.js";
import { rangeOf } from "./caret.js";
import { say } from "./words.js";

const LETTER = "[\\p{L}\\p{N}_]";
/** In Chinese and the like every place may be the border of a word. */
const UNSPACED = "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}]";

export class Find {
  constructor({ root, transcript, rows, commands, queue, api, session, status }) {
    Object.assign(this, { transcript, rows, commands, queue, api, session, status });
    this.form = root.querySelector("[data-find=form]");
    this.count = root.querySelector("[data-find=count]");
    this.fields = this.form.elements;
    this.hit = null;
    this.mark = globalThis.Highlight ? new Highlight() : null;
    if (this.mark) CSS.highlights.set("found", this.mark);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const does = event.submitter?.value ?? "next";
      this[does]();
    });
    this.form.addEventListener("input", () => {
      this.#go(null);
      this.#showCount();
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
    transcript.addEventListener("text", () => !this.form.hidden && this.#showCountSoon());
  }

  open() {
    this.from = this.rows.focusedKey;
    const selected = String(document.getSelection());
    this.form.hidden = false;
    if (selected && !selected.includes("\n")) this.fields.find.value = selected;
    this.fields.find.focus();
    this.fields.find.select();
    this.#showCount();
  }

  close() {
    const back = this.hit ?? { key: this.from, start: 0, end: 0 };
    this.#go(null);
    this.form.hidden = true;
    if (back.key && this.transcript.get(back.key)) this.rows.focus(back.key, back.start, back.end);
  }

  next() {
    const hits = this.#hits();
    if (!hits.length) return this.#go(null);
    return this.#go(hits[(this.#placeOf(hits, this.hit) + 1) % hits.length], hits);
  }

  previous() {
    const hits = this.#hits();
    if (!hits.length) return this.#go(null);
    const at = hits.findIndex((one) => same(one, this.hit));
    return this.#go(hits.at(at > 0 ? at - 1 : -1), hits);
  }

  /** Replace the word that is marked, and go to the next one. */
  replace() {
    const hits = this.#hits();
    const hit = hits.find((one) => same(one, this.hit));
    if (!hit) return this.next();
    const { text } = this.transcript.get(hit.key);
    const put = this.fields.with.value;
    const after = text.slice(0, hit.start) + put + text.slice(hit.end);
    this.commands.rewrite([{ key: hit.key, after }]);
    // Goes on behind what was put in, which may hold the word itself.
    this.hit = { key: hit.key, start: hit.start + put.length - 1, end: hit.start + put.length };
    return this.next();
  }

  /** Replace all of them, on the server and in one step. */
  async all() {
    if (!this.fields.find.value) return;
    await this.queue.flush();
    if (!this.queue.isEmpty) {
      this.status.tell(say("replace_waits"));
      return;
    }
    const before = new Map([...this.transcript.segments].map(([key, { text }]) => [key, text]));
    await this.queue.alone(() => this.#replaceOnServer(before));
    this.#go(null);
    this.#showCount();
  }

  async #replaceOnServer(before) {
    try {
      const answer = await this.api.post("review/replace/", {
        find: this.fields.find.value,
        with: this.fields.with.value,
        match_case: this.fields.match_case.checked,
        whole_words: this.fields.whole_words.checked,
        session: this.session,
        revision: this.transcript.revision,
      });
      this.transcript.apply(answer, { own: true, keeps: (key) => this.queue.hasFor(key) });
      const changes = answer.changed
        .map((one) => this.transcript.keyOfId.get(one.id))
        .map((key) => ({ key, before: before.get(key), after: this.transcript.get(key).text }))
        .filter((one) => one.before !== one.after);
      this.commands.wasRewritten(changes);
      this.status.tell(say("replaced", { n: answer.replaced }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.status.tell(error.status ? error.message : say("replace_waits"));
    }
  }

  #pattern() {
    const { find, match_case: matchCase, whole_words: wholeWords } = this.fields;
    if (!find.value) return null;
    const escaped = find.value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    // The border of a word is asked for only where the words begin and end with a letter.
    const letter = `(?!${UNSPACED})${LETTER}`;
    const isLetter = (character) => new RegExp(`^${letter}$`, "u").test(character);
    const [first, last] = [[...find.value][0], [...find.value].at(-1)];
    const before = wholeWords.checked && isLetter(first) ? `(?<!${letter})` : "";
    const after = wholeWords.checked && isLetter(last) ? `(?!${letter})` : "";
    return new RegExp(before + escaped + after, matchCase.checked ? "gu" : "giu");
  }

  #hits() {
    const pattern = this.#pattern();
    if (!pattern) return [];
    return this.transcript.order.flatMap((key) =>
      [...this.transcript.get(key).text.matchAll(pattern)].map((match) => ({
        key,
        start: match.index,
        end: match.index + match[0].length,
      })),
    );
  }

  /** The place of the last hit that is not behind this one; of the row where one began, if none. */
  #placeOf(hits, hit) {
    const { order } = this.transcript;
    const places = new Map(order.map((key, place) => [key, place]));
    const from = hit ?? { key: this.from ?? order[0], start: -1 };
    const row = places.get(from.key) ?? 0;
    return hits.findLastIndex((one) => {
      const other = places.get(one.key);
      return other < row || (other === row && one.start <= from.start);
    });
  }

  #go(hit, hits = []) {
    this.mark?.clear();
    this.rows.rowOf(this.hit?.key)?.classList.remove("found-here");
    this.hit = hit;
    if (!hit) return;
    const row = this.rows.rowOf(hit.key);
    row.scrollIntoView({ block: "center" });
    row.classList.add("found-here");
    const range = rangeOf(this.rows.textOf(hit.key), hit.start, hit.end);
    if (range) this.mark?.add(range);
    this.#showCount(hits);
  }

  #showCountSoon() {
    clearTimeout(this.countTimer);
    this.countTimer = setTimeout(() => this.#showCount(), 200);
  }

  #showCount(hits = this.#hits()) {
    const at = hits.findIndex((one) => same(one, this.hit));
    const n = hits.length;
    if (!this.fields.find.value) this.count.textContent = "";
    else if (at >= 0) this.count.textContent = say("found_at", { at: at + 1, n });
    else this.count.textContent = say("found", { n });
  }
}

function same(one, other) {
  return other !== null && one.key === other.key && one.start === other.start;
}
