/** Says in words what is saved and what is not, to eyes and to screen readers. */

import { element, say } from "./words.js";

/** States of the queue that a person must hear of; the others come and go with every word. */
const TROUBLE = ["offline", "login", "approved", "gone", "unkept", "conflict"];

const SHOWN_MS = 15_000;

export class Status {
  constructor({ root, queue, sync, store }) {
    Object.assign(this, { queue, sync, store });
    this.saved = root.querySelector("[data-status=saved]");
    this.live = root.querySelector("[data-status=live]");
    this.lost = root.querySelector("[data-status=lost]");
    this.loginUrl = root.dataset.login;
    this.isTroubled = false;
    queue.addEventListener("state", () => this.#show());
    queue.addEventListener("lost", () => this.#showLost());
    sync.addEventListener("away", ({ detail }) => this.#away(detail));
    sync.addEventListener("back", () => this.#show());
    sync.addEventListener("notice", ({ detail: { name, values } }) => this.tell(say(name, values)));
    this.timer = setInterval(() => this.queue.state === "offline" && this.#show(), 1_000);
  }

  /** Say something once; it stays long enough to be read, or until the next thing is said. */
  tell(words, { isSeen = true } = {}) {
    clearTimeout(this.tellTimer);
    this.live.classList.toggle("unseen", !isSeen);
    this.live.textContent = words;
    this.tellTimer = setTimeout(() => this.live.replaceChildren(), SHOWN_MS);
  }

  #show() {
    const { state } = this.queue;
    this.saved.dataset.state = state;
    const seconds = Math.max(0, Math.ceil((this.queue.retryAt - Date.now()) / 1_000));
    this.#write(say(`state_${state}`, { seconds }), state === "login");
    const isTroubled = TROUBLE.includes(state);
    if (isTroubled && this.told !== state) {
      this.tell(say(`told_${state}`), { isSeen: false });
    } else if (this.isTroubled && state === "saved") {
      this.tell(say("state_saved"), { isSeen: false });
    }
    if (isTroubled) this.told = state;
    else if (state === "saved") this.told = "";
    this.isTroubled = isTroubled || (this.isTroubled && state !== "saved");
  }

  #away(error) {
    // The queue says it better where it has something to send.
    if (!this.queue.isEmpty) return;
    const needsLogin = error.status === 401 || error.status === 403;
    this.saved.dataset.state = needsLogin ? "login" : "offline";
    this.#write(say(needsLogin ? "state_login" : "away"), needsLogin);
  }

  #write(words, needsLogin) {
    if (this.saved.firstChild?.textContent === words) return;
    this.saved.replaceChildren(element("span", words));
    if (needsLogin) {
      const link = element("a", say("log_in"), { href: this.loginUrl, target: "_blank" });
      this.saved.append(" ", link);
    }
  }

  #showLost() {
    const { lost } = this.queue;
    this.lost.hidden = lost.length === 0;
    const list = this.lost.querySelector("ul");
    list.replaceChildren(
      ...lost.map((one) => {
        const item = element("li");
        const discard = element("button", say("discard"), { type: "button" });
        discard.addEventListener("click", () => this.queue.discard(one));
        item.append(element("q", one.text), " ", discard);
        return item;
      }),
    );
    if (lost.length) this.tell(say("lost_told"));
  }
}
