// Keeps the engine room up to date: every two seconds what changes by the second is fetched anew.

const PAUSE_MS = 2000;
const state = document.getElementById("state");
const outcome = document.getElementById("outcome");
const stale = document.getElementById("stale");

async function refresh() {
  const answer = await fetch(state.dataset.address, { headers: { Accept: "application/json" } });
  // Who is logged out meanwhile is sent to the page for logging in.
  if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
  const fresh = await answer.json();
  const focused = state.contains(document.activeElement) ? document.activeElement.id : "";
  state.innerHTML = fresh.state;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  // Set only when it says something else: it is read out.
  if (fresh.outcome && outcome.textContent !== fresh.outcome.words) {
    outcome.textContent = fresh.outcome.words;
    outcome.className = `outcome ${fresh.outcome.kind}`;
  }
}

async function refreshForEver() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (document.hidden) continue;
    try {
      await refresh();
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
  }
}

refreshForEver();
