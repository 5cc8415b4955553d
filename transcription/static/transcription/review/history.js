/** Who changed what and when; what differs from the machine's text; going back. */

import { ApiError } from "./api.js";
import { clock, element, say } from "./words.js";

const ELEMENTS = { same: "span", removed: "del", added: "ins" };

export class History {
  constructor({ dialog, transcript, api, queue, sync, session, status }) {
    Object.assign(this, { dialog, transcript, api, queue, sync, session, status });
    this.list = dialog.querySelector("ol");
    this.shown = dialog.querySelector("[data-history=shown]");
    this.title = dialog.querySelector("[data-history=title]");
    this.against = dialog.querySelector("[name=against]");
    this.diff = dialog.querySelector("[data-history=diff]");
    this.confirm = dialog.querySelector("[data-history=confirm]");
    this.more = dialog.querySelector("[data-history=more]");
    this.problem = dialog.querySelector("[role=alert]");
    this.against.addEventListener("change", () => this.#showDiff());
    this.more.addEventListener("click", () => this.#attempt(() => this.#addPage()));
    const on = (name, does) =>
      dialog.querySelector(`[data-history=${name}]`).addEventListener("click", does);
    on("restore", () => this.#ask(true));
    on("no", () => this.#ask(false));
    on("yes", () => this.#attempt(() => this.#restore()));
  }

  async open() {
    this.list.replaceChildren();
    this.shown.hidden = true;
    this.dialog.showModal();
    await this.#attempt(async () => {
      // What was typed a moment ago belongs to the history.
      await this.queue.flush();
      this.nextParameters = {};
      await this.#addPage();
    });
  }

  async #addPage() {
    const page = await this.api.get("revisions/", this.nextParameters);
    const next = page.next && new URL(page.next, location.href).searchParams;
    this.nextParameters = next ? Object.fromEntries(next) : null;
    this.more.hidden = !next;
    for (const one of page.results) this.#add(one);
    // The machine's text is no step of a person's, and so not in the list.
    if (!next) this.#add({ number: 0, kind: "machine" });
  }

  #add(one) {
    const item = element("li");
    const button = element("button", this.#nameOf(one), { type: "button" });
    button.addEventListener("click", () => this.#attempt(() => this.#show(one, button)));
    item.append(button);
    this.list.append(item);
  }

  #nameOf(one) {
    if (one.number === 0) return say("machine_text");
    return say("revision", {
      time: new Date(one.created_at).toLocaleString(document.documentElement.lang),
      author: one.author || say("somebody"),
      kind: say(`kind_${one.kind}`),
      n: one.summary.changed,
    });
  }

  async #show(one, button) {
    this.revision = await this.api.get(`revisions/${one.number}/`);
    for (const other of this.list.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    this.title.textContent = button.textContent;
    this.against.closest("label").hidden = one.number === 0;
    this.shown.hidden = false;
    this.#ask(false, { keepFocus: true });
    this.#showDiff();
    this.title.focus();
  }

  #showDiff() {
    const { number, diff, segments } = this.revision;
    const parts = number === 0 ? [] : diff[this.against.value];
    const rows = number === 0 ? segments.map(plain) : parts.map(compared);
    if (rows.length) this.diff.replaceChildren(...rows);
    else this.diff.replaceChildren(element("p", say("no_difference")));
  }

  /** Going back is asked for twice: it changes the whole text. */
  #ask(isAsked, { keepFocus = false } = {}) {
    this.confirm.hidden = !isAsked;
    const restore = this.dialog.querySelector("[data-history=restore]");
    restore.hidden = isAsked || this.transcript.state === "approved";
    if (isAsked) this.confirm.querySelector("button").focus();
    else if (!keepFocus) restore.focus();
  }

  async #restore() {
    await this.queue.flush();
    if (!this.queue.isEmpty) {
      this.problem.textContent = say("restore_waits");
      return;
    }
    const body = { session: this.session, revision: this.transcript.revision };
    await this.queue.alone(async () => {
      await this.api.post(`revisions/${this.revision.number}/restore/`, body);
      // Any segment may have come or gone: all of it is loaded again.
      await this.sync.reload();
    });
    this.dialog.close();
    this.status.tell(say("restored"));
  }

  async #attempt(work) {
    this.problem.textContent = "";
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem.textContent = error.status ? error.message : say("away");
    }
  }
}

function plain(segment) {
  const row = element("p", "", { class: "compared" });
  row.append(element("time", clock(segment.start_seconds)), " ", segment.text);
  return row;
}

/** One difference: when, and its words with those that went and those that came. */
function compared(one) {
  const row = element("p", "", { class: "compared" });
  row.append(element("time", clock((one.after[0] ?? one.before[0]).start_seconds)), " ");
  for (const { kind, text } of one.parts) row.append(element(ELEMENTS[kind], text));
  return row;
}
