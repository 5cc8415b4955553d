/** The sound: plays, seeks, follows the text, and draws the waveform where there is one. */

import WaveSurfer from "../vendor/wavesurfer-7.12.12.js";
import { ApiError } from "./api.js";
import { clock, element, say } from "./words.js";

const SKIP_SECONDS = 3;
/** A pause is taken in the midst of a word: playback goes on a little before it. */
const EARLIER_SECONDS = 0.5;
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

export class Player extends EventTarget {
  constructor({ root, duration }) {
    super();
    const find = (name) => root.querySelector(`[data-player=${name}]`);
    this.audio = find("audio");
    this.position = find("position");
    this.time = find("time");
    this.speed = find("speed");
    this.playButton = find("play");
    this.waveform = find("waveform");
    this.note = find("note");
    this.duration = duration;
    this.wasPaused = false;
    this.stopAt = null;
    this.hasFailed = false;
    this.#listen();
    this.setDuration(duration);
    // Without one (the audio was deleted) the page says so, and nothing can be pressed in vain.
    for (const control of this.#controls(root)) control.disabled = !this.hasSound;
  }

  get hasSound() {
    return this.audio.hasAttribute("src");
  }

  get seconds() {
    return this.audio.currentTime;
  }

  get isPlaying() {
    return !this.audio.paused;
  }

  setDuration(seconds) {
    this.duration = seconds || 0;
    this.position.max = String(this.duration);
    this.#showTime();
  }

  async play() {
    if (!this.hasSound) return;
    if (this.wasPaused) this.audio.currentTime = Math.max(0, this.seconds - EARLIER_SECONDS);
    this.wasPaused = false;
    try {
      await this.audio.play();
    } catch (error) {
      // Another command came in between (AbortError), or the format is not known: "error" tells.
      if (error.name !== "AbortError" && error.name !== "NotSupportedError") throw error;
    }
  }

  pause() {
    this.wasPaused = true;
    this.audio.pause();
  }

  toggle() {
    this.stopAt = null;
    return this.isPlaying ? this.pause() : this.play();
  }

  skip(direction) {
    this.seek(this.seconds + direction * SKIP_SECONDS);
  }

  seek(seconds) {
    this.wasPaused = false;
    this.stopAt = null;
    this.audio.currentTime = Math.min(Math.max(0, seconds), this.duration || Infinity);
    this.#showTime();
  }

  /** Play from `start`; stop at `end`, where it is given. */
  playFrom(start, end = null) {
    this.seek(start);
    this.stopAt = end;
    return this.play();
  }

  changeSpeed(step) {
    const at = SPEEDS.indexOf(Number(this.speed.value));
    const next = SPEEDS[Math.min(Math.max(0, at + step), SPEEDS.length - 1)];
    this.speed.value = String(next);
    this.audio.playbackRate = next;
    return next;
  }

  /** Draw the waveform from the service's peaks; where there are none, say so. */
  async drawWaveform(api) {
    let answer;
    try {
      answer = await api.get("peaks/");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.waveform.hidden = true;
      this.#say(error.code === "peaks_missing" ? "no_waveform" : "waveform_failed");
      return;
    }
    if (!this.duration) this.setDuration(answer.duration_seconds);
    const style = getComputedStyle(this.waveform);
    const holder = document.createElement("div");
    const surfer = WaveSurfer.create({
      container: holder,
      media: this.audio,
      peaks: [answer.peaks],
      duration: answer.duration_seconds,
      height: 64,
      normalize: true,
      waveColor: style.getPropertyValue("--wave"),
      progressColor: style.getPropertyValue("--wave-played"),
      cursorColor: style.getPropertyValue("--wave-cursor"),
      cursorWidth: 2,
      dragToSeek: true,
    });
    this.#adoptStyle(surfer);
    surfer.on("interaction", () => {
      this.wasPaused = false;
      this.stopAt = null;
      this.dispatchEvent(new Event("sought"));
    });
    this.waveform.replaceChildren(holder);
  }

  /**
   * The library brings a style element, which the page's security policy forbids: what it says
   * is taken over as a style sheet object before it comes into the page.
   */
  #adoptStyle(surfer) {
    const root = surfer.getWrapper().getRootNode();
    const style = root.querySelector("style");
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style.textContent);
    root.adoptedStyleSheets = [sheet];
    style.remove();
  }

  #listen() {
    const { audio } = this;
    const tell = () => this.dispatchEvent(new Event("time"));
    audio.addEventListener("timeupdate", () => {
      if (this.stopAt !== null && this.seconds >= this.stopAt) {
        this.stopAt = null;
        audio.pause();
      }
      this.#showTime();
      tell();
    });
    for (const type of ["play", "pause", "ended", "seeked"]) {
      audio.addEventListener(type, () => {
        this.playButton.setAttribute("aria-pressed", String(this.isPlaying));
        tell();
      });
    }
    audio.addEventListener("error", () => this.#failed());
    // It began to load before this script.
    if (audio.error) this.#failed();
    audio.addEventListener("loadedmetadata", () => {
      // The service counted the samples; what a file says of itself may be wrong, or infinite.
      if (!this.duration && Number.isFinite(audio.duration)) this.setDuration(audio.duration);
    });
    this.position.addEventListener("input", () => {
      this.seek(Number(this.position.value));
      this.dispatchEvent(new Event("sought"));
    });
    this.speed.addEventListener("change", () => {
      audio.playbackRate = Number(this.speed.value);
    });
  }

  #controls(root) {
    const names = ["back", "play_pause", "forward", "again"];
    const buttons = names.map((name) => root.querySelector(`[data-action=${name}]`));
    return [...buttons, this.position, this.speed];
  }

  #failed() {
    if (this.hasFailed) return;
    this.hasFailed = true;
    const { error } = this.audio;
    const isFormat = error.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED;
    const isDecoding = error.code === MediaError.MEDIA_ERR_DECODE;
    this.#say(isFormat || isDecoding ? "format_not_played" : "sound_not_loaded");
    const link = element("a", say("download_sound"), { href: this.audio.src, download: "" });
    this.note.append(" ", link);
  }

  #say(name) {
    this.note.append(this.note.textContent ? " " : "", say(name));
    this.note.hidden = false;
  }

  #showTime() {
    const words = say("time_of", { time: clock(this.seconds), duration: clock(this.duration) });
    this.time.textContent = words;
    this.position.value = String(this.seconds);
    this.position.setAttribute("aria-valuetext", words);
  }
}
