/**
 * Every key of the page. They work while somebody types, so they are combinations; Tab stays the
 * browser's, and so do the keys of screen readers (Insert, Caps Lock, Ctrl alone).
 */

import { element, say } from "./words.js";

/** Alt is Option on a Mac. `code` is the key's place, whatever the keyboard's language. */
const ALT = [
  ["play_pause", "KeyK", "K"],
  ["back", "KeyJ", "J"],
  ["forward", "KeyL", "L"],
  ["again", "KeyR", "R"],
  ["next", "ArrowDown", "↓"],
  ["previous", "ArrowUp", "↑"],
  ["slower", "Comma", ","],
  ["faster", "Period", "."],
  ["follow", "KeyU", "U"],
  ["doubtful", "KeyW", "W"],
  ["merge_next", "KeyM", "M"],
  ["start_here", "BracketLeft", "["],
  ["end_here", "BracketRight", "]"],
  ["times", "KeyI", "I"],
  ["history", "KeyC", "C"],
  ["begin", "KeyG", "G"],
  ["approve", "KeyA", "A"],
  ["reopen", "KeyO", "O"],
].map(([action, code, label]) => ({ action, code, alt: true, label: `Alt+${label}` }));

const BINDINGS = [
  ...ALT,
  { action: "merge_previous", code: "KeyM", alt: true, shift: true, label: "Alt+Shift+M" },
  { action: "find", code: "KeyH", ctrl: true, label: "Ctrl+H" },
  { action: "undo", code: "KeyZ", ctrl: true, label: "Ctrl+Z" },
  { action: "redo", code: "KeyZ", ctrl: true, shift: true, label: "Ctrl+Shift+Z" },
  { action: "redo", code: "KeyY", ctrl: true, label: "Ctrl+Y" },
  { action: "save", code: "KeyS", ctrl: true, label: "Ctrl+S" },
  { action: "keep_mine", code: "Enter", ctrl: true, label: "Ctrl+Enter" },
  { action: "take_theirs", code: "Enter", ctrl: true, shift: true, label: "Ctrl+Shift+Enter" },
  { action: "help", code: "F1", label: "F1" },
];

/** What keys do inside a text; the caret decides, so the editor looks after them. */
const IN_TEXT = [
  ["split", "Enter"],
  ["merge_previous", "Backspace"],
  ["merge_next", "Delete"],
];

/** Whether the key belongs to an input method that is in the midst of a character. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

export class Keys {
  /** `actions`: name -> what it does; `dialogs`: while one of them is open, only its keys count. */
  constructor({ actions, inText, isOpen }) {
    Object.assign(this, { actions, inText, isOpen });
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  #pressed(event) {
    if (isComposing(event) || event.defaultPrevented || this.isOpen()) return;
    const isField = event.target.matches?.("input, select, textarea");
    const found = BINDINGS.find((one) => matches(one, event));
    // In a field of a form these undo what is typed there.
    if (found && !(isField && ["undo", "redo"].includes(found.action))) {
      event.preventDefault();
      this.actions[found.action]();
    } else if (event.key === "?" && !isField && !event.target.isContentEditable) {
      event.preventDefault();
      this.actions.help();
    } else {
      this.inText(event);
    }
  }
}

/** Fill the help with every key there is. */
export function writeHelp(list) {
  const lines = new Map();
  const add = (action, label) => lines.set(action, [...(lines.get(action) ?? []), label]);
  lines.set("split", []);
  for (const { action, label } of BINDINGS) add(action, label);
  for (const [action, label] of IN_TEXT) add(action, say(`in_text_${action}`, { key: label }));
  add("help", "?");
  list.replaceChildren(
    ...[...lines].flatMap(([action, labels]) => {
      const keys = element("dt");
      labels.forEach((label, at) => keys.append(at ? say("or") : "", element("kbd", label)));
      return [keys, element("dd", say(`key_${action}`))];
    }),
  );
}

function matches({ code, alt = false, ctrl = false, shift = false }, event) {
  return (
    event.code === code &&
    event.altKey === alt &&
    (event.ctrlKey || event.metaKey) === ctrl &&
    event.shiftKey === shift
  );
}
