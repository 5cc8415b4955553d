// Records from the microphone. What was recorded stays on the page until it is sent or discarded.

import { clock, parts, say, show } from "./page.js";

/** The first that the browser can write; Safari knows mp4 only. */
const TYPES = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
  ["audio/ogg;codecs=opus", "ogg"],
];
const LEVEL_EVERY_MS = 100;

let isUnsent = false;
export function recordingIsUnsent() {
  return isUnsent;
}

/** Make the panel work; `onSend(blob, name)` takes a recording. */
export function setUpMicrophone(root, onSend) {
  const shown = parts(root, "record");
  if (!navigator.mediaDevices || !window.MediaRecorder) {
    shown.start.disabled = true;
    show(shown.error, say("no_microphone_here"));
    return;
  }
  let recorder;
  let recording = null;

  shown.start.addEventListener("click", async () => {
    show(shown.error, "");
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      start(stream);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      show(shown.error, reason(error));
    }
  });
  shown.stop.addEventListener("click", () => recorder.stop());

  function start(stream) {
    const [type, ending] = TYPES.find(([name]) => MediaRecorder.isTypeSupported(name)) ?? ["", "webm"];
    const pieces = [];
    const began = performance.now();
    recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
    const endMeter = meter(stream, shown.level);
    const ticking = setInterval(() => {
      shown.state.textContent = say("recording", { time: clock((performance.now() - began) / 1000) });
    }, 500);
    recorder.addEventListener("dataavailable", (event) => {
      if (event.data.size) pieces.push(event.data);
    });
    recorder.addEventListener("stop", () => {
      clearInterval(ticking);
      endMeter();
      const wasTaken = stream.getTracks().some((track) => track.readyState === "ended");
      stream.getTracks().forEach((track) => track.stop());
      const seconds = (performance.now() - began) / 1000;
      keep(new Blob(pieces, { type: recorder.mimeType }), ending, seconds);
      if (wasTaken) show(shown.error, say("recording_ended"));
    });
    // By pieces, so that little is lost should the browser end the recorder.
    recorder.start(1000);
    isUnsent = true;
    shown.start.hidden = true;
    shown.stop.hidden = shown.level.hidden = false;
    shown.stop.focus();
    shown.state.textContent = say("recording", { time: "0:00" });
  }

  function keep(blob, ending, seconds) {
    const moment = new Date();
    const stamp = [moment.getFullYear(), moment.getMonth() + 1, moment.getDate(),
      moment.getHours(), moment.getMinutes(), moment.getSeconds()]
      .map((part) => String(part).padStart(2, "0")).join("-");
    recording = { blob, name: `${say("recording_name")} ${stamp}.${ending}`,
      url: URL.createObjectURL(blob) };
    shown.stop.hidden = shown.level.hidden = true;
    shown.done.hidden = false;
    shown.listen.src = shown.save.href = recording.url;
    shown.save.download = recording.name;
    shown.state.textContent = say("recorded", { time: clock(seconds) });
    shown.send.focus();
  }

  function clear() {
    shown.listen.removeAttribute("src");
    shown.listen.load();
    URL.revokeObjectURL(recording.url);
    recording = null;
    isUnsent = false;
    shown.done.hidden = true;
    shown.start.hidden = false;
    shown.state.textContent = "";
    shown.start.focus();
  }
  shown.send.addEventListener("click", () => {
    onSend(recording.blob, recording.name);
    clear();
  });
  shown.discard.addEventListener("click", clear);
}

function reason(error) {
  if (error.name === "NotAllowedError") return say("microphone_refused");
  if (error.name === "NotFoundError") return say("no_microphone");
  return say("microphone_failed", { message: error.message });
}

/** Show how loud it is; returns what ends it. */
function meter(stream, element) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // -60 dB is an empty meter, 0 dB a full one.
    element.value = Math.max(0, Math.min(1, 1 + (10 * Math.log10(power + 1e-9)) / 60));
  }, LEVEL_EVERY_MS);
  return () => {
    clearInterval(timer);
    context.close();
  };
}
