/** What the keys and the buttons do. */

import { caretIn } from "./caret.js";
import { doubtfulIn, timeAt } from "./doubtful.js";
import { isComposing } from "./keys.js";
import { say } from "./words.js";

export function makeActions(page) {
  const { transcript, rows, commands, queue, player, follow, status } = page;
  const here = () => rows.focusedKey ?? rows.current ?? transcript.order[0];
  const isOpen = () => {
    if (transcript.state !== "approved") return true;
    status.tell(say("told_approved"));
    return false;
  };

  function go(step) {
    const key = transcript.neighbour(here(), step);
    if (key === undefined) return;
    rows.focus(key);
    player.isPlaying ? player.playFrom(transcript.get(key).start) : page.seekTo(key);
  }

  function split(key = here()) {
    const caret = rows.caret(key);
    if (!isOpen()) return;
    const made = caret && commands.split(key, caret[0]);
    if (made) rows.focus(made);
    else status.tell(say("split_nothing"));
  }

  function merge(key) {
    if (!isOpen()) return;
    const at = key === undefined ? -1 : commands.merge(key);
    if (at >= 0) rows.focus(key, at);
    else status.tell(say("merge_nothing"));
  }

  function after(outcome) {
    if (outcome === null) status.tell(say("undo_nothing"));
    else if (outcome === "changed") status.tell(say("undo_changed"));
    else if (transcript.get(outcome)) rows.focus(outcome, transcript.get(outcome).text.length);
  }

  function nextDoubtful() {
    const { order } = transcript;
    const start = order.indexOf(here());
    const caret = rows.caret(order[start]);
    for (let step = 0; step <= order.length; step += 1) {
      const key = order[(start + step) % order.length];
      const from = step === 0 && caret ? caret[1] : 0;
      const found = doubtfulIn(transcript.get(key)).find((one) => one.start >= from);
      if (!found) continue;
      rows.focus(key, found.start, found.end);
      player.seek(found.at);
      status.tell(say("doubtful_here", { word: found.word }));
      return;
    }
    status.tell(say("doubtful_none"));
  }

  return {
    play_pause: () => player.toggle(),
    back: () => player.skip(-1),
    forward: () => player.skip(1),
    again: () => {
      const { start, end } = transcript.get(here());
      player.playFrom(start, end);
    },
    next: () => go(1),
    previous: () => go(-1),
    slower: () => status.tell(say("speed", { speed: player.changeSpeed(-1) })),
    faster: () => status.tell(say("speed", { speed: player.changeSpeed(1) })),
    follow: () => follow.resume(),
    doubtful: nextDoubtful,
    split,
    merge_next: () => merge(here()),
    merge_previous: () => merge(transcript.neighbour(here(), -1)),
    start_here: () => isOpen() && page.times.setEdge(here(), "start", player.seconds),
    end_here: () => isOpen() && page.times.setEdge(here(), "end", player.seconds),
    times: () => isOpen() && page.times.open(here()),
    find: () => page.find.open(),
    undo: () => isOpen() && after(commands.undo()),
    redo: () => isOpen() && after(commands.redo()),
    save: () => queue.flush(),
    begin: () => page.setState("in_review"),
    approve: () => page.setState("approved"),
    reopen: () => page.setState("in_review"),
    history: () => page.history.open(),
    keep_mine: () => page.conflicts.decide(here(), true),
    take_theirs: () => page.conflicts.decide(here(), false),
    help: () => page.help.showModal(),
  };
}

/** Keys whose meaning depends on where the caret is. */
export function makeInText(page, actions) {
  const { transcript, rows } = page;
  return (event) => {
    const key = rows.keyAt(event.target);
    const text = key && rows.textOf(key);
    if (event.target !== text || event.ctrlKey || event.metaKey || event.altKey) return;
    const [start, end] = caretIn(text) ?? [];
    if (event.key === "Enter") {
      event.preventDefault();
      if (!event.shiftKey) actions.split(key);
    } else if (event.key === "Backspace" && start === 0 && end === 0) {
      event.preventDefault();
      actions.merge_previous();
    } else if (event.key === "Delete" && start === end && end === text.textContent.length) {
      event.preventDefault();
      actions.merge_next();
    }
  };
}

/** Clicks: a time plays from there, a text puts the sound where the pointer is. */
export function listenToClicks(page) {
  const { transcript, rows, player } = page;
  rows.list.addEventListener("click", ({ target }) => {
    const key = rows.keyAt(target);
    if (!key || target.closest(".conflict")) return;
    const segment = transcript.get(key);
    if (rows.textOf(key).contains(target)) {
      const caret = rows.caret(key);
      // Who selects words wants to change them.
      if (caret && caret[0] === caret[1]) page.seekTo(key, timeAt(segment, caret[0]));
    } else {
      player.playFrom(segment.start);
    }
  });
}

/** The browser's own undo knows nothing of ours: its menu and its gestures do the same. */
export function listenToUndo(page, actions) {
  page.rows.list.addEventListener("beforeinput", (event) => {
    if (isComposing(event)) return;
    const does = { historyUndo: actions.undo, historyRedo: actions.redo }[event.inputType];
    const isBreak = ["insertParagraph", "insertLineBreak"].includes(event.inputType);
    if (does || isBreak) event.preventDefault();
    does?.();
    // A phone's keyboard tells of its Enter here and nowhere else.
    if (isBreak) actions.split();
  });
}

