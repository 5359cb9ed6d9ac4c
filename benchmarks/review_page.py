"""How soon a browser shows the report and the review of a large run, and sorts, filters and searches its rows.

    python -m benchmarks.review_page --rows 1000000

The run is made up: its rows have texts, scores and fields, but no audio. The app is `winnow review` in a process of its
own, the browser a headless Chromium (with chromedriver) on the same machine, wide and as narrow as a phone. A view is
there when the rows are; the 0.2 s that the page waits for further typing are in each figure.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from benchmarks.refilter import SHARD, write_run
from winnow.reports.write import write_report
from winnow.runs import ledger
from winnow.runs.completion import complete
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import read_table, store_table
from winnow.schema import ShardedManifest

FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking")
WIDTHS = (1400, 390)

PAINTED = """
const done = arguments[arguments.length - 1];
const look = () => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const loaded = performance.getEntriesByType("navigation")[0].loadEventEnd;
  return paint && loaded ? done([paint.startTime, loaded]) : requestAnimationFrame(look);
};
look();
"""
"""Milliseconds from the beginning of the navigation until something is painted, and until all is loaded."""

ROWS_SHOWN = """
const done = arguments[arguments.length - 1];
const look = () => document.querySelector("#rows tr") ? done(performance.now()) : requestAnimationFrame(look);
look();
"""
"""Milliseconds from the beginning of the navigation until there are rows."""

CHANGED = """
const [name, value, done] = arguments, control = document.querySelector(`[name="${name}"]`);
const before = document.querySelector("#rows tr"), began = performance.now();
control.value = value;
control.dispatchEvent(new Event("input", { bubbles: true }));
const look = () => {
  const first = document.querySelector("#rows tr");
  return first && first !== before ? done(performance.now() - began) : requestAnimationFrame(look);
};
look();
"""
"""Milliseconds from an input until there are other rows."""

STEPS = [
    ("sorted by WER", "sort", "wer"),
    ("sorted by speaker", "sort", "speaker"),
    ("filtered by decision", "decision", "drop"),
    ("filtered by speaker", "speaker", "s7"),
    ("all speakers again", "speaker", ""),
    ("first search", "search", "word12 "),
    ("another search", "search", "said again 7"),
]


def write_published(run: Path) -> None:
    """Publish a run that benchmarks.refilter wrote, and report on it."""
    settings, filtered = load_settings(run), ledger.files_by_stage(run)["filter"]
    published = []
    for file in filtered:
        rows, name = read_table(file), ledger.name_of(file)
        rows = rows.append_column("speaker", pa.array([f"s{int(name)}"] * len(rows)))
        kept = pc.equal(rows["decision"], "keep")
        parts = ("data", kept), ("rejects", pc.invert(kept))
        files = [store_table(run / part, name, rows.filter(flags)) for part, flags in parts]
        ledger.commit(run, ledger.key_of("publish", name), files, stage="publish", shard=name)
        published += files
    shards = [run / f"{ledger.name_of(file)}.jsonl" for file in filtered]
    manifest = ShardedManifest(shards, [3600.0] * len(shards), len(shards) * SHARD, 0)
    context = write_report(filtered, published, manifest, {}, settings, run, settings.gates_after_small)
    complete(run, context.report.model_dump(include={"lines", "blank", "kept", "dropped", "quarantined"}))


@contextmanager
def reviewed(run: Path) -> Iterator[tuple[str, float]]:
    """Start the review of a run; yield its address, and the seconds until it was printed."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "cli.app", "review", str(run)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        address = re.search(r"http\S+", process.stdout.readline())
        assert address
        try:
            yield address[0], time.perf_counter() - began
        finally:
            process.terminate()


@contextmanager
def chromium() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium") or shutil.which("google-chrome"))
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


def look(driver: WebDriver, run: Path, address: str) -> Iterator[tuple[str, float]]:
    """Yield what was done, and the seconds that it took."""
    for width in WIDTHS:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get((run / "report.html").as_uri())
        painted, loaded = driver.execute_async_script(PAINTED)
        yield f"report at {width} px: painted", painted / 1000
        yield f"report at {width} px: all of it", loaded / 1000
        driver.get(address)
        yield f"review at {width} px: first view", driver.execute_async_script(ROWS_SHOWN) / 1000
        for name, control, value in STEPS:
            yield f"review at {width} px: {name}", driver.execute_async_script(CHANGED, control, value) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--run", type=Path, help="folder where the run is kept, and taken from the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = given.run or Path(folder) / "run"
        if not (run / "report.html").exists():
            run.parent.mkdir(parents=True, exist_ok=True)
            write_run(run, given.rows // SHARD)
            write_published(run)
        size = (run / "report.html").stat().st_size
        print(f"{given.rows:,} rows; the page has {size / 1000:,.0f} kB")
        with reviewed(run) as (address, seconds), chromium() as driver:
            print(f"review is started: {seconds:.2f} s")
            for name, taken in look(driver, run, address):
                print(f"{name}: {taken:.2f} s", flush=True)


if __name__ == "__main__":
    main()
