// What the home page's modules share: words in the reader's language, and small helpers.

const words = JSON.parse(document.getElementById("words").textContent);

/** The words of that name; {fields} are filled in. */
export function say(name, fields = {}) {
  return words[name].replace(/\{(\w+)\}/g, (whole, field) => fields[field] ?? whole);
}

/** Elements below `root` by the value of their attribute data-`kind`. */
export function parts(root, kind) {
  const found = {};
  for (const element of root.querySelectorAll(`[data-${kind}]`)) {
    found[element.dataset[kind]] = element;
  }
  return found;
}

export function csrfToken() {
  return document.querySelector("[name=csrfmiddlewaretoken]").value;
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

export function bytes(count) {
  return count < 1e6 ? `${Math.ceil(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** Show words in an element, or hide it where there are none. */
export function show(element, text) {
  element.textContent = text;
  element.hidden = !text;
}
