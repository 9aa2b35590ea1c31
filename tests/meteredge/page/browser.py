"""A real Chromium with a phone's screen, driven over WebDriver (W3C) by the little of it that these tests need."""

import base64
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.free_ports import free_port

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PHONE = {"width": 390, "height": 844, "pixelRatio": 2.0}
ANSWER_S = 60


@dataclass(frozen=True)
class Browser:
    """One session."""

    session: str

    def open(self, url: str) -> None:
        """Go there; returns when the document is loaded."""
        self._post("url", {"url": url})

    def run(self, script: str) -> Any:  # noqa: ANN401
        """What the function body `script` returns in the page."""
        return self._post("execute/sync", {"script": script, "args": []})

    def wait_for(self, script: str) -> Any:  # noqa: ANN401
        """The first true value of the expression `script`, within ten seconds."""
        waiting = (
            f"const done=arguments[0];const t=Date.now();(function look(){{const v=({script});"
            "if(v||Date.now()-t>10000){done(v)}else{setTimeout(look,50)}})()"
        )
        return self._post("execute/async", {"script": waiting, "args": []})

    def messages(self) -> list[str]:
        """What the page's console said: violations of its policy are among it."""
        return [entry["message"] for entry in self._post("se/log", {"type": "browser"})]

    def screenshot(self, file: Path) -> None:
        """The whole screen as PNG."""
        file.write_bytes(base64.b64decode(_ask(f"{self.session}/screenshot", None)))

    def _post(self, what: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
        return _ask(f"{self.session}/{what}", body)


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile."""
    driver = shutil.which("chromedriver")
    assert driver, "apt-get install chromium chromium-driver"
    port = free_port()
    with subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            while b"started successfully" not in process.stdout.readline():
                assert process.poll() is None
            options = {
                "args": [*FLAGS, f"--user-data-dir={profile}"],
                "mobileEmulation": {"deviceMetrics": PHONE},
            }
            wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            root = f"http://127.0.0.1:{port}/session"
            session = f"{root}/{_ask(root, {'capabilities': {'alwaysMatch': wanted}})['sessionId']}"
            try:
                yield Browser(session)
            finally:
                _ask(session, None, "DELETE")
        finally:
            process.terminate()


def _ask(url: str, body: dict[str, Any] | None, method: str | None = None) -> Any:  # noqa: ANN401
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(error.read().decode()) from error
