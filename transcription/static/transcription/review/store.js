/**
 * Keeps what is not on the server yet in localStorage, so that a closed laptop loses nothing.
 *
 * Each open page has an entry of its own. An entry whose page no longer answers was left by one
 * that was closed or killed; the next page that opens takes it over.
 */

/** How long a living page may take to answer. */
const ANSWER_MS = 250;

export class Store {
  constructor(documentName, session) {
    this.prefix = `asr-review:${documentName}:`;
    this.session = session;
    this.channel = new BroadcastChannel(this.prefix);
    this.channel.addEventListener("message", ({ data }) => {
      if (data.ask === this.session) this.channel.postMessage({ here: this.session });
    });
  }

  /** Returns whether it is kept: a full or forbidden localStorage is told, not passed over. */
  write(operations) {
    try {
      const name = this.prefix + this.session;
      if (operations.length) localStorage.setItem(name, JSON.stringify({ operations }));
      else localStorage.removeItem(name);
      return true;
    } catch (error) {
      console.error("localStorage cannot be written", error);
      return false;
    }
  }

  /** The operations of pages that are gone, in the order in which they were opened. */
  async left() {
    const names = this.#names().filter((name) => name !== this.prefix + this.session);
    if (!names.length) return [];
    const living = new Set();
    const listen = ({ data }) => data.here && living.add(this.prefix + data.here);
    this.channel.addEventListener("message", listen);
    for (const name of names) this.channel.postMessage({ ask: name.slice(this.prefix.length) });
    await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
    this.channel.removeEventListener("message", listen);
    return names
      .filter((name) => !living.has(name))
      .map((name) => ({ name, operations: this.#read(name) }))
      .filter(({ operations }) => operations.length);
  }

  /** Forget the entries that were taken over, once they are in this page's own. */
  forget(entries) {
    for (const { name } of entries) localStorage.removeItem(name);
  }

  #names() {
    try {
      return Object.keys(localStorage).filter((name) => name.startsWith(this.prefix));
    } catch (error) {
      console.error("localStorage cannot be read", error);
      return [];
    }
  }

  #read(name) {
    try {
      return JSON.parse(localStorage.getItem(name)).operations ?? [];
    } catch (error) {
      console.error(`${name} cannot be read`, error);
      return [];
    }
  }
}
