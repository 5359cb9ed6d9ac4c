"""The review app in a browser: keys alone, audio that plays, hostile transcripts, axe-core, nothing from elsewhere."""

import io
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import uvicorn
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.conftest import CHROMIUM
from tests.faults.test_browser import HOSTILE
from tests.in_process import curate
from tests.test_report_in_browser import serious_faults
from winnow.review.server import HOST, make_app
from winnow.review.session import Session
from winnow.verdicts.files import read_verdicts
from winnow.verdicts.verdict import standing

CHROMEDRIVER = shutil.which("chromedriver")
PICTURES = os.environ.get("WINNOW_REVIEW_PICTURES")
"""A folder for screenshots of the run in WINNOW_REVIEW_RUN."""

pytestmark = pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium")

FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "mute-audio")
AUTOPLAY = "autoplay-policy=no-user-gesture-required"


SHOWN = """
const row = document.querySelector('tr[aria-selected="true"]');
return row && !document.querySelector('[data-say="keep"]').disabled ? Number(row.dataset.line) : null;
"""
"""The line of the row that is shown, once it can be decided."""


@contextmanager
def served(run: Path, reviewer: str) -> Iterator[str]:
    """Serve the review of a run from this process; yield its address."""
    session = Session(str(run), reviewer)
    with socket.create_server((HOST, 0)) as listener:  # the browser's first request may be earlier than the server
        server = uvicorn.Server(uvicorn.Config(make_app(session, "token"), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://{HOST}:{listener.getsockname()[1]}/token/"
        server.should_exit = True
        thread.join(10)
    session.close()


@pytest.fixture
def browser() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, AUTOPLAY, "window-size=1400,1000"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(CHROMEDRIVER))
    yield driver
    driver.quit()


def requested(driver: WebDriver) -> set[str]:
    """Return the addresses that the page asked for."""
    entries = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    return {entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"}


@pytest.fixture
def run(manifest, hears, tmp_path) -> Path:
    """A finished run of 34 rows, whose references are hostile or wrong; each is a second of a tone."""
    texts = [text.format("https://evil.example") if "{}" in text else text for text in HOSTILE]
    names = [f"{number:02}.wav" for number in range(34)]
    tone = np.sin(np.arange(16_000) / 10).astype(np.float32) / 2
    corpus = manifest(
        *(
            {"audio_filepath": name, "text": texts[i] if i < len(texts) else f"one two {i}"}
            for i, name in enumerate(names)
        )
    )
    for name in names:
        soundfile.write(tmp_path / name, tone, 16_000)
    models = hears(small=dict.fromkeys(names, "one two"))
    curate(manifest=corpus, output=str(tmp_path / "out"), **models)
    return tmp_path / "out"


def test_keys_alone_review_rows_audio_plays_and_hostile_transcripts_are_inert(run, browser):
    with served(run, "anna") as address:
        browser.get(address)
        wait = WebDriverWait(browser, 20, 0.05)

        def shown() -> int | None:
            return browser.execute_script(SHOWN)

        def press(*keys: str) -> None:
            ActionChains(browser).send_keys(*keys).perform()

        first = wait.until(lambda _: shown())
        seen = [first]
        wait.until(lambda driver: driver.execute_script("return document.getElementById('audio').readyState >= 2"))
        press(" ")
        wait.until(lambda driver: driver.execute_script("return document.getElementById('audio').currentTime") > 0.1)
        press(" ", "]")  # a stretch of a second, as words have no times
        wait.until(
            lambda driver: driver.execute_script(
                "return document.getElementById('audio').ended || document.getElementById('audio').currentTime > 0.2"
            )
        )
        press("?")
        wait.until(lambda driver: driver.find_element(By.ID, "keys").is_displayed())
        press("?")
        for number in range(20):
            press("kd"[number % 2])
            seen.append(wait.until(lambda _: (line := shown()) not in seen and line))
        assert len(set(seen)) == 21
        press("e")
        wait.until(lambda driver: driver.find_element(By.ID, "editor").is_displayed())
        ActionChains(browser).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(
            "said here"
        ).perform()
        ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
        wait.until(lambda driver: "21 decided" in driver.find_element(By.ID, "progress").text)
        press(Keys.ARROW_UP)
        wait.until(lambda _: shown() == seen[20])
        wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, '[data-say="undo"]').is_enabled())
        press("u")
        wait.until(lambda driver: "20 decided" in driver.find_element(By.ID, "progress").text)
        press("f")
        wait.until(lambda driver: "⚑" in driver.find_element(By.ID, "place").text)

        assert browser.title == "Review of out"
        assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
        assert {url for url in requested(browser) if not url.startswith((address, "data:"))} == set()
        browser.execute_script(pytest.importorskip("axe_core_python.base").AXE_SCRIPT)
        widths, faults = {}, {}
        for width, scheme in ((1400, "light"), (390, "dark")):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            widths[width] = browser.execute_script("return document.documentElement.scrollWidth")
            faults[width] = serious_faults(browser)
        assert all(shown_width <= width for width, shown_width in widths.items())
        assert not any(faults.values()), faults
    said = standing(read_verdicts(run).verdicts)
    kinds = {one.last.line: one.decided and one.decided.kind for one in said.values()}
    assert [kinds[line] for line in seen[:20]] == ["keep", "drop"] * 10
    assert (kinds[seen[20]], said_flag(said, seen[20])) == (None, True)


def said_flag(said: dict, line: int) -> bool:
    (stands,) = (one for one in said.values() if one.last.line == line)
    return stands.flagged


@pytest.mark.skipif(not PICTURES, reason="takes pictures for the documentation")
def test_pictures_of_the_app(browser):
    run = Path(os.environ["WINNOW_REVIEW_RUN"])
    with served(run, "anna") as address:
        for width, height in ((1400, 900), (390, 844)):
            for scheme in ("light", "dark"):
                size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
                browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
                browser.get(address)
                WebDriverWait(browser, 20).until(
                    lambda driver: driver.execute_script("return document.getElementById('audio').readyState >= 2")
                )
                time.sleep(0.5)  # what is drawn
                picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
                name = f"review-{width}-{scheme}.png"
                picture.quantize(128).save(Path(str(PICTURES)) / name, optimize=True)
