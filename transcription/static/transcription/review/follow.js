/** Marks the sentence that is being played and keeps it in view, until somebody scrolls. */

export class Follow {
  constructor({ transcript, rows, player, button }) {
    Object.assign(this, { transcript, rows, player, button });
    this.isOn = true;
    this.typedAt = -Infinity;
    player.addEventListener("time", () => this.#show());
    player.addEventListener("sought", () => this.resume());
    transcript.addEventListener("order", () => this.#show());
    for (const type of ["wheel", "touchmove"]) {
      addEventListener(type, () => this.#pause(), { passive: true });
    }
    addEventListener("keydown", ({ key }) => {
      if (["PageUp", "PageDown"].includes(key)) this.#pause();
    });
    rows.list.addEventListener("input", () => {
      this.typedAt = performance.now();
    });
    this.#showButton();
  }

  /** The segment at the place of the sound; the one before it in a pause. */
  keyAtSound() {
    const { order } = this.transcript;
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.transcript.get(order[middle]).start <= this.player.seconds + 0.01) low = middle + 1;
      else high = middle;
    }
    return order[Math.max(0, low - 1)];
  }

  resume() {
    this.isOn = true;
    this.#showButton();
    this.#show(true);
  }

  #pause() {
    if (!this.isOn || !this.player.isPlaying) return;
    this.isOn = false;
    this.#showButton();
  }

  #show(scroll = false) {
    const key = this.keyAtSound();
    if (key === undefined) return;
    const isNew = key !== this.rows.current;
    this.rows.setCurrent(key);
    // Nobody's line runs away under his fingers.
    const isTyping = performance.now() - this.typedAt < 3_000;
    if (scroll || (isNew && this.isOn && this.player.isPlaying && !isTyping)) {
      this.rows.rowOf(key)?.scrollIntoView({ block: "center" });
    }
  }

  #showButton() {
    this.button.hidden = this.isOn;
  }
}
