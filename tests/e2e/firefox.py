"""Firefox, driven by WebDriver BiDi: the other engine that our pages must work in.

Debian's chromium is driven by Playwright; Debian's Firefox has no driver there, but speaks the
standard protocol (https://www.w3.org/TR/webdriver-bidi/) itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import websocket

from tests.served import PATIENCE_SECONDS

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
#: A page that plays and records in a test hears and disturbs nobody.
PREFERENCES = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    # A script of a test may fill the clipboard.
    "dom.events.testing.asyncClipboard": True,
    "intl.accept_languages": "en-US",
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
#: Names of keys in the protocol's own alphabet.
KEYS = {
    "Control": "\ue009",
    "Alt": "\ue00a",
    "Enter": "\ue007",
    "Backspace": "\ue003",
    "ArrowRight": "\ue014",
    "End": "\ue010",
    "Home": "\ue011",
}


class Firefox:
    """A browser with one page, its own profile, and what its console complains of."""

    def __init__(self, profile: Path) -> None:
        assert FIREFOX is not None
        self.complaints: list[str] = []
        self._number = 0
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        profile.mkdir(parents=True)
        (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
        with (profile / "firefox.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(FIREFOX, "--headless", "--no-remote", "--profile", str(profile)),
                    *("--remote-debugging-port", "0", "about:blank"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={"HOME": str(profile), "PATH": os.environ["PATH"], "MOZ_HEADLESS": "1"},
            )
        self._socket = websocket.create_connection(
            f"{self._address(profile)}/session", timeout=PATIENCE_SECONDS, suppress_origin=True
        )
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        # One of its own: that which it starts with never has the focus.
        self.context: str = self.command("browsingContext.create", type="tab")["context"]

    @staticmethod
    def _address(profile: Path) -> str:
        end = time.monotonic() + 2 * PATIENCE_SECONDS
        while time.monotonic() < end:
            for line in (profile / "firefox.log").read_text(encoding="utf-8").splitlines():
                if "WebDriver BiDi listening on " in line:
                    return line.rpartition(" ")[2]
            time.sleep(0.05)
        raise AssertionError((profile / "firefox.log").read_text(encoding="utf-8"))

    def command(self, method: str, **params: Any) -> Any:
        """Send a command and return its result; what happens meanwhile is kept."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv())
            if said.get("type") == "event":
                self._heard(said)
            elif said.get("id") == self._number:
                assert said["type"] == "success", f"{method}: {said}"
                return said["result"]

    def _heard(self, event: dict[str, Any]) -> None:
        entry = event["params"]
        if event["method"] == "log.entryAdded" and entry["level"] == "error":
            self.complaints.append(str(entry["text"]))

    def go(self, url: str) -> None:
        self.command("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def size(self, width: int, height: int) -> None:
        self.command(
            "browsingContext.setViewport",
            context=self.context,
            viewport={"width": width, "height": height},
        )

    def set_cookie(self, url: str, name: str, value: str) -> None:
        host = url.split("//")[1].split(":")[0]
        self.command(
            "storage.setCookie",
            cookie={"name": name, "value": {"type": "string", "value": value}, "domain": host},
        )

    def value(self, expression: str) -> Any:
        """Return the plain value of a JavaScript expression, or what its promise comes to."""
        answer = self.command(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((found) => JSON.stringify(found))",
            target={"context": self.context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", f"{expression}: {answer['exceptionDetails']['text']}"
        found = answer["result"]
        return json.loads(found["value"]) if found["type"] == "string" else None

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < end, f"still not so: {expression}"
            time.sleep(0.05)

    def element(self, selector: str) -> dict[str, Any]:
        """Wait for an element and return the reference to it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.command(
                "browsingContext.locateNodes",
                context=self.context,
                locator={"type": "css", "value": selector},
                maxNodeCount=1,
            )["nodes"]
            if found:
                return {"sharedId": found[0]["sharedId"]}
            assert time.monotonic() < end, f"there is no {selector}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        element = self.element(selector)
        self.value(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        self.command(
            "input.performActions",
            context=self.context,
            actions=[
                {
                    "type": "pointer",
                    "id": "mouse",
                    "actions": [
                        {
                            "type": "pointerMove",
                            "x": 0,
                            "y": 0,
                            "origin": {"type": "element", "element": element},
                        },
                        {"type": "pointerDown", "button": 0},
                        {"type": "pointerUp", "button": 0},
                    ],
                }
            ],
        )

    def type(self, text: str) -> None:
        """Type text where the focus is."""
        self._keys([move for key in text for move in _press(key)])

    def press(self, chord: str) -> None:
        """Press keys at once, as "Control+Enter"."""
        keys = [KEYS.get(name, name) for name in chord.split("+")]
        down = [{"type": "keyDown", "value": key} for key in keys]
        self._keys(down + [{"type": "keyUp", "value": key} for key in reversed(keys)])

    def _keys(self, actions: Sequence[dict[str, Any]]) -> None:
        self.command(
            "input.performActions",
            context=self.context,
            actions=[{"type": "key", "id": "keyboard", "actions": list(actions)}],
        )

    def choose_file(self, selector: str, path: Path) -> None:
        self.command(
            "input.setFiles",
            context=self.context,
            element=self.element(selector),
            files=[str(path)],
        )

    def stop(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)


def _press(key: str) -> list[dict[str, Any]]:
    return [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
