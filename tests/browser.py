"""A real Chromium without a window, driven through its debugging pipe: opens a page, presses keys, takes pictures."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars")


OVERFLOWING = """
[...document.querySelectorAll("body *")].filter((part) => !part.closest(".scroll, svg, .skip, script, style"))
  .filter((part) => part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.outerHTML.slice(0, 80))
"""
"""JavaScript: parts that reach beyond the right edge."""

CONTRAST = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colours) => { for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (part) => part ? [...behind(part.parentElement), getComputedStyle(part).backgroundColor] : [];
  const bad = [];
  for (const part of document.querySelectorAll("body *:not(script):not(style)")) {
    const own = [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !part.checkVisibility()) continue;
    const style = getComputedStyle(part), back = behind(part);
    const text = part.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(over(["white", ...back])), light(over(["white", ...back, text]))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${part.outerHTML.slice(0, 90)}: ${ratio.toFixed(2)}`);
  }
  return bad;
})()
"""
"""JavaScript: words that do not stand out by 4.5 to 1 from what is behind them."""


class Page:
    """One tab; `console` holds every message and uncaught exception since it was opened."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._pending, self._asked = b"", 0
        self._session: str | None = None
        self.console: list[str] = []
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": values}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._asked:
            self._note(answer)
        assert "error" not in answer, answer["error"]
        found: dict[str, Any] = answer["result"]
        return found

    def open(self, page: Path | str, *, width: int, height: int = 900, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while not self._loaded:
            self._note(self._next())

    def ask(self, expression: str) -> Any:
        """Value of an expression of JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def choose(self, selector: str, path: Path) -> None:
        """Give a file to an input, as the dialog of the system would."""
        found = self.call("Runtime.evaluate", expression=f"document.querySelector({selector!r})")
        self.call("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])

    def wait(self, condition: str, *, seconds: float = 60) -> None:
        """Until an expression of JavaScript is true."""
        end_s = time.monotonic() + seconds
        while not self.ask(f"Boolean({condition})"):
            assert time.monotonic() < end_s, f"not in {seconds} s: {condition}"
            time.sleep(0.05)

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            found = os.read(self._reading, 1 << 20)
            assert found, "the browser went away"
            self._pending += found
        text, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), json.dumps(message.get("params"))
        self._loaded = self._loaded or method == "Page.loadEventFired"
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.console.append(told)


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A fresh browser with a profile of its own; the test is skipped where none is installed."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here to open the page in")
    to_browser, from_browser = os.pipe(), os.pipe()
    # The browser reads from descriptor 3 and writes to 4.
    script = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
    flags = [program, "--headless=new", "--remote-debugging-pipe", *FLAGS, f"--user-data-dir={profile}"]
    ends = (to_browser[0], from_browser[1])
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *map(str, ends), *flags],
        pass_fds=ends,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in ends:
        os.close(end)
    page = None
    try:
        page = Page(from_browser[0], to_browser[1])
        yield page
    finally:
        with suppress(Exception):
            if page:
                page._session = None
                page.call("Browser.close")
        _stop(process)
        os.close(to_browser[1])
        os.close(from_browser[0])


def _stop(process: "subprocess.Popen[bytes]") -> None:
    end_s = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < end_s:
        time.sleep(0.05)
    process.kill()
    process.wait()
