/** Every word that a script shows comes from the template, in the person's language. */

const words = JSON.parse(document.getElementById("review-words").textContent);

/** The words of this name, with {placeholders} filled in. Throws for a name that is not there. */
export function say(name, values = {}) {
  if (!(name in words)) throw new Error(`No words for ${name}`);
  return words[name].replace(/\{(\w+)\}/g, (_all, key) => String(values[key] ?? ""));
}

/** 83.46 as "1:23.4", 3723 as "1:02:03.0". */
export function clock(seconds) {
  const tenths = Math.floor(Math.max(0, seconds) * 10 + 1e-6);
  const whole = Math.floor(tenths / 10);
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  const hours = Math.floor(whole / 3600);
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  const long = hours ? `${hours}:${text}` : text.replace(/^0/, "");
  return `${long}.${tenths % 10}`;
}

/** A random UUID, also on pages without TLS, where crypto.randomUUID is missing. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** A new element with text and attributes; what a script makes has no markup in strings. */
export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
