/** The reviewing page: makes its parts and connects them. */

import { listenToClicks, listenToUndo, makeActions, makeInText } from "./actions.js";
import { Api, ApiError } from "./api.js";
import { Commands } from "./commands.js";
import { Conflicts } from "./conflicts.js";
import { Find } from "./find.js";
import { Follow } from "./follow.js";
import { History } from "./history.js";
import { Keys, writeHelp } from "./keys.js";
import { Player } from "./player.js";
import { SaveQueue } from "./queue.js";
import { Rows } from "./rows.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { Sync } from "./sync.js";
import { Times } from "./times.js";
import { Transcript } from "./transcript.js";
import { say, uuid } from "./words.js";

const root = document.getElementById("review");
const find = (selector) => root.querySelector(selector);

function assemble() {
  const session = uuid();
  const api = new Api(root.dataset.api, find("[name=csrfmiddlewaretoken]").value);
  const transcript = new Transcript();
  const store = new Store(`${root.dataset.user}:${root.dataset.api}`, session);
  const queue = new SaveQueue({ transcript, api, store, session });
  const commands = new Commands({ transcript, queue });
  const rows = new Rows({
    transcript,
    list: find("#segments"),
    template: find("template"),
    onTyped: (key, text) => commands.typed(key, text),
  });
  const isBusy = (key) => rows.composing === key;
  const sync = new Sync({ transcript, queue, api, store, session, isBusy });
  const status = new Status({ root, queue, sync, store });
  const player = new Player({ root, duration: Number(root.dataset.duration) });
  const follow = new Follow({ transcript, rows, player, button: find("[data-action=follow]") });
  const parts = { root, session, api, transcript, queue, commands, rows, sync, status };
  return {
    ...parts,
    player,
    follow,
    find: new Find(parts),
    conflicts: new Conflicts(parts),
    times: new Times({ ...parts, dialog: find("#review-times") }),
    history: new History({ ...parts, dialog: find("#review-history") }),
    help: find("#review-help"),

    /** Put the sound to a segment, or to a second of it, without starting it. */
    seekTo(key, seconds = transcript.get(key).start) {
      player.seek(seconds);
      rows.setCurrent(key);
    },

    async setState(state) {
      await queue.flush();
      if (state === "approved" && !queue.isEmpty) {
        status.tell(say("approve_waits"));
        return;
      }
      try {
        const answer = await api.post("review/state/", { review_state: state });
        transcript.setState(answer.review_state);
        status.tell(say(`review_${answer.review_state}`));
        queue.resume();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        status.tell(error.status ? error.message : say("state_waits"));
      }
    },
  };
}

function connect(page) {
  const { queue, transcript } = page;
  const actions = makeActions(page);
  const isOpen = () => Boolean(document.querySelector("dialog[open]"));
  new Keys({ actions, inText: makeInText(page, actions), isOpen });
  writeHelp(page.help.querySelector("dl"));
  listenToClicks(page);
  listenToUndo(page, actions);
  for (const button of root.querySelectorAll("[data-action]")) {
    // The caret stays where it is: it says what is to be split.
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("click", () => actions[button.dataset.action]());
  }
  transcript.addEventListener("state", () => showState(transcript.state));
  transcript.addEventListener("people", () => showPeople(transcript.people));
  addEventListener("online", () => queue.resume());
  addEventListener("focus", () => queue.resume());
  // A closed laptop and a phone's other app tell of themselves by this alone.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && !queue.isEmpty) queue.flush({ leaving: true });
  });
  addEventListener("pagehide", () => queue.keep());
  addEventListener("beforeunload", (event) => {
    queue.keep();
    if (!queue.isEmpty) event.preventDefault();
  });
  showState(transcript.state);
}

function showState(state) {
  find("[data-status=review]").textContent = say(`review_${state}`);
  const shown = { begin: state === "unreviewed", approve: state !== "approved" };
  shown.reopen = state === "approved";
  for (const [name, isShown] of Object.entries(shown)) {
    find(`[data-action=${name}]`).hidden = !isShown;
  }
}

function showPeople(people) {
  const place = find("[data-status=people]");
  place.textContent = people.length ? say("people", { names: people.join(", ") }) : "";
}

async function start() {
  const page = assemble();
  connect(page);
  try {
    const { recovered } = await page.sync.open();
    root.dataset.ready = "true";
    const isEmpty = page.transcript.order.length === 0;
    find("[data-status=opening]").textContent = isEmpty ? say("no_text") : "";
    find("[data-status=opening]").hidden = !isEmpty;
    if (recovered) page.status.tell(say("recovered"));
    page.sync.poll();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    find("[data-status=opening]").textContent = say(error.status ? "not_opened" : "away", {
      message: error.message,
    });
    return;
  }
  if (page.player.hasSound) await page.player.drawWaveform(page.api);
}

start();
