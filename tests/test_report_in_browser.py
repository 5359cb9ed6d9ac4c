"""The report's page in a browser: no serious fault by axe-core, no error, no request, nothing wider than the screen."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import CHROMIUM
from tests.test_report import CASCADE, DOUBTED, SETTINGS, made_report, rows, throughput
from tests.test_report_page import CALIBRATION
from winnow.reports.follow_up import FollowUp
from winnow.reports.recommendations import recommend
from winnow.reports.render import render_report
from winnow.reports.summary import ReportContext, summarize
from winnow.runs.run_record import RunRecord
from winnow.schema import ShardedManifest

CHROMEDRIVER = shutil.which("chromedriver")
PICTURES = os.environ.get("WINNOW_REPORT_PICTURES")
"""Folder for a picture of each view; without it none are taken."""

PAGE = os.environ.get("WINNOW_REPORT_PAGE")
"""Another page to look at, such as that of a run."""

VIEWS = [(width, scheme, "screen") for width in (1400, 390) for scheme in ("light", "dark")] + [(800, "light", "print")]
EXAMINED = {(1400, "light"), (390, "dark"), (800, "light")}
"""The views that axe-core examines, which takes a second of CPU each; where pictures are taken, all."""

LONG = "winnow-" + "x" * 90


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A report with a warning, recommendations, long names, all charts and examples."""
    if PAGE:
        return Path(PAGE).absolute()
    many = rows(*CASCADE.slice(0, 4).to_pylist() * 5, *[DOUBTED | {"proposal": "five two eight zero"}] * 3)
    many = many.set_column(0, "id", [list(range(1, len(many) + 1))])
    lines = ShardedManifest(shards=[], seconds=[], lines=len(many), blank=0)
    report = summarize(many, lines, {"small": throughput(4, 36)}, SETTINGS, calibration=CALIBRATION)
    advice = recommend(report, FollowUp(SETTINGS, f"/runs/{LONG}")) + recommend(
        made_report(SETTINGS), FollowUp(SETTINGS, "/runs/a")
    )
    report = report.model_copy(update={"warnings": ["Nothing was kept."], "recommendations": advice})
    record = RunRecord(
        parameters={"manifest": f"/data/{LONG}.jsonl", "gate": {"accept": 0.2}},
        sha256={"manifest": "a" * 64},
        versions={"winnow": "1.2"},
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_report(ReportContext(report, SETTINGS, record)))
    return path


@pytest.fixture(scope="module")
def driver():
    if not CHROMIUM or not CHROMEDRIVER:
        pytest.skip("needs chromium and chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    yield started
    started.quit()


def serious_faults(driver) -> list[str]:
    """Have axe-core examine the page; return the elements that it finds serious or critical faults in."""
    found = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert len(found["passes"]) > 10
    return [
        f"{fault['id']}: {node['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def test_page_has_no_serious_fault_in_any_view(driver, page):
    axe = pytest.importorskip("axe_core_python.base").AXE_SCRIPT
    driver.get(page.as_uri())
    driver.execute_script(axe)
    faults, wide = {}, {}
    for width, scheme, media in VIEWS:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        screen = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        if PICTURES or (width, scheme) in EXAMINED:
            faults[width, scheme, media] = serious_faults(driver)
        wide[width, scheme, media] = driver.execute_script("return document.documentElement.scrollWidth") - width
        if PICTURES:
            driver.save_screenshot(f"{PICTURES}/{width}-{scheme}-{media}.png")
    assert not any(faults.values()), faults
    assert len(faults) >= len(EXAMINED)
    assert max(wide.values()) <= 0, wide
    assert driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    assert [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
