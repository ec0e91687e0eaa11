"""A real Chromium for tests, over the same pipe that previews use: open a page, look, click, type, take its picture."""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from belvedere.kernel.errors import Later
from belvedere.previews.devtools import DevTools

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
_ARGUMENTS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class Page:
    """One tab. `errors` holds what the page's console and its content security policy complained about."""

    def __init__(self, tools: DevTools, base: str) -> None:
        self.tools = tools
        self.base = base
        self.errors: list[str] = []
        tools.attach()
        for domain in ("Page", "Runtime", "Log", "Network"):
            tools.call(f"{domain}.enable")
        tools.listen("Log.entryAdded", lambda event: self._log(event["entry"]))
        tools.listen("Runtime.exceptionThrown", lambda event: self.errors.append(str(event["exceptionDetails"])[:500]))

    def _log(self, entry: dict[str, Any]) -> None:
        if entry["level"] == "error":
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")

    def size(self, width: int, height: int, *, dark: bool = False, mobile: bool = False) -> None:
        self.tools.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        scheme = "dark" if dark else "light"
        self.tools.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def scripts(self, *, on: bool) -> None:
        self.tools.call("Emulation.setScriptExecutionDisabled", value=not on)

    def go(self, path: str) -> None:
        self.tools.call("Page.navigate", url=path if path.startswith(("http", "about:")) else self.base + path)
        self.settled()

    def settled(self) -> None:
        self.until("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        return self.tools.evaluate(expression)

    def until(self, expression: str, seconds: float = 20) -> Any:
        """Wait until an expression is truthy in whatever page is there by then."""
        deadline = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < deadline:
            try:
                last = self.tools.evaluate(f"!!({expression})")
            except Later as error:  # the page may be on its way to another
                last = error
            else:
                if last:
                    return last
            time.sleep(0.03)  # between two looks at a condition
        message = f"not within {seconds} s: {expression}; last: {last!r}; errors: {self.errors}"
        raise AssertionError(message)

    def click(self, selector: str) -> None:
        self.tools.evaluate(f"document.querySelector({selector!r}).click()")

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a field, as its dialog would."""
        root = self.tools.call("DOM.getDocument")["root"]["nodeId"]
        field = self.tools.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.tools.call("DOM.setFileInputFiles", nodeId=field, files=[str(file) for file in files])

    def fill(self, selector: str, text: str) -> None:
        self.tools.evaluate(f"document.querySelector({selector!r}).focus()")
        self.tools.evaluate(f"document.querySelector({selector!r}).select?.()")
        self.tools.call("Input.insertText", text=text)

    def press(self, key: str, text: str | None = None, modifiers: int = 0) -> None:
        typed = text if text is not None else key if len(key) == 1 and not modifiers else ""
        shown = {"text": typed} if typed else {}
        code = {"Enter": 13, "Escape": 27, "Tab": 9}.get(key, ord(key.upper()[0]))
        for kind in ("keyDown", "keyUp"):
            self.tools.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
                **(shown if kind == "keyDown" else {}),
            )

    def sign_in(self, name: str, password: str) -> None:
        self.go("/sign-in")
        self.fill("input[name=name]", name)
        self.fill("input[name=password]", password)
        self.click("main form button")
        self.until("!location.pathname.startsWith('/sign-in') && document.readyState === 'complete'")

    def cookie(self, name: str, value: str) -> None:
        self.tools.call("Network.setCookie", name=name, value=value, url=self.base)

    def picture(self, file: Path, *, whole: bool = True) -> None:
        data = self.tools.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        file.write_bytes(base64.b64decode(data))


@contextmanager
def browser(base: str, *, seconds: float = 110) -> Iterator[Page]:
    """Start a browser with an empty profile and end it with all its children."""
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(prefix="belvedere-test-browser-") as profile:
        argv = [
            PROGRAM,
            *_ARGUMENTS,
            f"--user-data-dir={profile}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "about:blank",
        ]
        # The browser reads descriptor 3 and writes descriptor 4; this puts our ends there and becomes the browser.
        become = (
            "import fcntl, os, sys; one, two = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 50) for end in sys.argv[1:3]); "
            "os.dup2(one, 3); os.dup2(two, 4); os.execv(sys.argv[3], sys.argv[3:])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", become, str(to_browser), str(from_browser), *argv],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        tools = DevTools(from_us, to_us, deadline=time.monotonic() + seconds)
        try:
            yield Page(tools, base)
        finally:
            with suppress(Later, OSError, subprocess.TimeoutExpired):
                tools.post("Browser.close")
            with suppress(Later, OSError, subprocess.TimeoutExpired):
                process.wait(5)
            with suppress(Later, OSError, subprocess.TimeoutExpired):
                os.killpg(process.pid, 9)
            process.wait(5)
            tools.close()
