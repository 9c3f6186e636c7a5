"""The live page in a real browser: headless Chromium with a synthetic voice as its microphone."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import pytest
import soundfile

from tests.voices import SAMPLE_RATE, voice

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
CHROMEDRIVER = shutil.which("chromedriver") or ""

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are not installed"
)

# A name that is not localhost, so that the browser calls the very same server insecure.
ELSEWHERE = "undertone.test"
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1100,1400",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)


class Browser:
    """A headless Chromium, driven through ChromeDriver's WebDriver protocol."""

    def __init__(self, driver: httpx.Client, switches: list[str]) -> None:
        options = {"binary": CHROMIUM, "args": [*SWITCHES, *switches]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._driver = driver
        self._session = ""
        self._session = self._call("session", capabilities={"alwaysMatch": wanted})["sessionId"]

    @classmethod
    @contextmanager
    def open(cls, profile: Path, *switches: str) -> Iterator[Self]:
        """Start ChromeDriver and a browser with a new profile; end both."""
        with subprocess.Popen([CHROMEDRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                ports = (re.search(r"on port (\d+)\.", line) for line in process.stdout)
                port = next(found[1] for found in ports if found)
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as driver:
                    browser = cls(driver, [f"--user-data-dir={profile}", *switches])
                    yield browser
                    driver.delete(f"/session/{browser._session}")
            finally:
                process.terminate()

    def _call(self, path: str, **body: object) -> Any:
        url = f"/session/{self._session}/{path}" if self._session else f"/{path}"
        value = self._driver.post(url, json=body).json()["value"]
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def visit(self, url: str) -> None:
        """Load a page, and forget what the console has said."""
        self._call("url", url=url)
        self.console()

    def permit_microphone(self, state: str) -> None:
        """Answer the page's request for the microphone beforehand: ``granted`` or ``denied``."""
        self._call("permissions", descriptor={"name": "microphone"}, state=state)

    def run(self, script: str) -> Any:
        """Return what a JavaScript function body returns."""
        return self._call("execute/sync", script=script, args=[])

    def text(self, selector: str) -> str:
        """Return the visible text of the first element that fits."""
        return str(self.run(f"return document.querySelector({selector!r}).innerText"))

    def click(self, selector: str) -> None:
        """Click like a person: the element must be visible, and the click counts as a gesture."""
        element = self._call("element", using="css selector", value=selector)
        self._call(f"element/{next(iter(element.values()))}/click")

    def write(self, selector: str, text: str) -> None:
        """Type into a field."""
        element = self._call("element", using="css selector", value=selector)
        self._call(f"element/{next(iter(element.values()))}/value", text=text)

    def wait(self, condition: str, seconds: float = 20.0) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"not within {seconds} s: {condition}\n{self.text('body')}"
            time.sleep(0.05)

    def console(self) -> list[str]:
        """Return what the console has logged since the last call."""
        return [entry["message"] for entry in self._call("se/log", type="browser")]


@pytest.fixture(scope="module")
def voice_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of speech and one of digital silence; Chromium plays it over and over."""
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    samples = np.concatenate([voice(3.0), np.zeros(SAMPLE_RATE, np.float32)])
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def browser(voice_wav: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    fake = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={voice_wav}")
    with Browser.open(tmp_path_factory.mktemp("profile"), *fake) as browser:
        yield browser


def test_page_is_served_under_a_strict_policy(server_url: str) -> None:
    with httpx.Client(base_url=server_url, trust_env=False) as client:
        page = client.get("/")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        script, style = client.get("/main.js"), client.get("/style.css")
    assert "javascript" in script.headers["content-type"]
    assert "text/css" in style.headers["content-type"]


@needs_browser
def test_live_results_appear_while_the_voice_speaks(server_url: str, browser: Browser) -> None:
    browser.visit(server_url)
    browser.permit_microphone("granted")
    browser.click("#listen")
    browser.wait("document.querySelector('#state').innerText === 'Listening'")
    browser.wait("document.querySelector('#light-gate').dataset.on === 'true'")
    browser.wait("document.querySelector('#light-speech').dataset.on === 'true'")
    browser.wait("/^\\d+ ms$/.test(document.querySelector('#lag').innerText)")
    browser.wait("parseFloat(document.querySelector('#speech').innerText) >= 1.5")
    browser.wait("document.querySelector('#emotion').dataset.known === 'true'")
    browser.wait("document.querySelector('#gender').dataset.known === 'true'")
    browser.wait("document.querySelector('#age').dataset.known === 'true'")
    assert browser.run("return document.querySelectorAll('#emotion-bars li').length") == 9
    assert coloured_columns(browser) > 3
    browser.wait("document.querySelectorAll('#utterances li').length > 0")

    browser.click("#listen")
    browser.wait("!document.querySelector('#summary').hidden")
    browser.wait("document.querySelector('#state').innerText === 'Not listening'")
    assert "you stopped it" in browser.text("#summary")
    assert browser.text("#emotion") == "Not listening"
    assert browser.console() == []


def coloured_columns(browser: Browser) -> int:
    """Count the columns of pixels in which the timeline's speech lane is filled."""
    return int(
        browser.run(
            """const canvas = document.querySelector('#timeline');
            const row = canvas.getContext('2d').getImageData(0, 28 * devicePixelRatio, canvas.width, 1).data;
            const empty = [...row.slice(0, 3)].join();
            let count = 0;
            for (let i = 0; i < row.length; i += 4) count += [...row.slice(i, i + 3)].join() !== empty;
            return count;"""
        )
    )


@needs_browser
def test_voice_enrolled_on_the_page_can_be_claimed(server_url: str, browser: Browser) -> None:
    browser.visit(server_url)
    browser.permit_microphone("granted")
    browser.click("#enrolment summary")
    browser.write("#enrol-name", "Ada of the page")
    browser.click("#enrol-consent")
    browser.click("#enrol-record")
    browser.wait("/done|warning|error/.test(document.querySelector('#enrol-outcome').dataset.kind)", 30)
    assert "Ada of the page is" in browser.text("#enrol-outcome")
    browser.wait("document.querySelector('#claim').innerText.includes('Ada of the page')")
    browser.run(
        """const claim = document.querySelector('#claim');
        claim.value = [...claim.options].find(({ text }) => text.includes('Ada of the page')).value;
        claim.dispatchEvent(new Event('change'));"""
    )
    browser.click("#listen")
    browser.wait("document.querySelector('#decision').dataset.known === 'true'")
    assert re.match(r"Probability \d+ %, score", browser.text("#speaker-figures"))


@needs_browser
def test_dropped_session_is_continued_by_one_that_names_it(server_url: str, browser: Browser) -> None:
    browser.visit(server_url)
    browser.permit_microphone("granted")
    browser.run(
        """window.sockets = [];
        window.WebSocket = class extends WebSocket {
          constructor(...given) { super(...given); sockets.push(this); }
        };"""
    )
    browser.click("#listen")
    browser.wait("document.querySelector('#state').innerText === 'Listening'")
    browser.run(
        """const [socket] = sockets, dropped = socket.onclose;
        socket.onclose = null;
        socket.close();
        dropped({ code: 1012 });"""
    )
    assert browser.text("#state") == "Reconnecting"
    assert "lost" in browser.text("#notices")
    browser.wait("document.querySelector('#state').innerText === 'Listening'")
    assert "previous=" not in browser.run("return sockets[0].url")
    assert "previous=" in browser.run("return sockets[1].url")
    assert browser.text("#notices") == ""


@needs_browser
def test_refused_microphone_is_explained(server_url: str, browser: Browser) -> None:
    browser.visit(server_url)
    browser.permit_microphone("denied")
    browser.click("#listen")
    browser.wait("document.querySelector('.notice[data-key=microphone]')")
    assert "refused" in browser.text("#notices")
    assert "site settings" in browser.text("#notices")
    assert browser.text("#listen") == "Start listening"


@needs_browser
def test_insecure_page_says_why_there_is_no_microphone(server_url: str, browser: Browser) -> None:
    port = httpx.URL(server_url).port
    browser.visit(f"http://{ELSEWHERE}:{port}/")
    assert "https://" in browser.text("#notices")
    assert f"http://localhost:{port}/" in browser.text("#notices")
    assert browser.run("return document.querySelector('#listen').disabled")


@needs_browser
def test_missing_microphone_is_explained(server_url: str, tmp_path: Path) -> None:
    with Browser.open(tmp_path) as browser:
        browser.visit(server_url)
        browser.permit_microphone("granted")
        browser.click("#listen")
        browser.wait("document.querySelector('.notice[data-key=microphone]')")
        assert "No microphone was found" in browser.text("#notices")
