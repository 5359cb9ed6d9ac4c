"""Markup in transcripts, in a real browser; tests/test_deployments.py opens the artifact in Prefect's UIs."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import CHROMIUM
from tests.test_report import MANIFEST, SETTINGS, rows, throughput
from winnow.reports.render import render_markdown, render_report
from winnow.reports.summary import ReportContext, summarize

HOSTILE = [
    "<script>document.title='ran'; fetch('{}/script')</script>",
    "<img src={}/img onerror=\"document.title='ran'\">",
    "![picture]({}/markdown)",
    "![][1] [1]: {}/reference",
    '<svg onload="document.title=1"><image href={}/svg /></svg>',
    "<iframe src={}/frame></iframe>",
    "<style>@import url({}/style)</style>",
    "<link rel=stylesheet href={}/link>",
    "[click](javascript:document.title='ran')",
    "</td></table><object data={}/object>",
]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium")


@contextmanager
def canary_server() -> Iterator[tuple[str, list[str]]]:
    """Serve an address that no page may fetch from, and yield it with the list of paths that were requested."""
    requested: list[str] = []

    class Canary(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", requested
    server.shutdown()


def dom_of(address: str, profile: Path) -> str:
    """Return the page's DOM in a browser after its scripts ran."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--disable-extensions"]
    command = [str(CHROMIUM), *flags, "--virtual-time-budget=4000", "--dump-dom", address]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=90, check=True
    ).stdout.decode()


@contextmanager
def hostile_report() -> Iterator[tuple[list[str], str, str, list[str]]]:
    """Yield hostile texts, a report with them as markdown and as a page, and the paths that anything has fetched."""
    with canary_server() as (address, requested):
        texts = [text.replace("{}", address) for text in HOSTILE]
        yield texts, *report_with(texts), requested


def report_with(texts: list[str]) -> tuple[str, str]:
    """Render a report that shows these texts as examples, as markdown and as a page."""
    dropped = {"wer": 1.0, "small_wer": 1.0, "model": "small", "decision": "drop"}
    reasons = ["WER_ABOVE_MAX", "REJECTED_BY_GATE", "CHAR_RATE_BELOW_MIN", "CHAR_RATE_ABOVE_MAX"]
    filtered = rows(*[dropped | {"text": t, "pred_text": t, "reason": reasons[i % 4]} for i, t in enumerate(texts)])
    manifest = type(MANIFEST)(shards=[], seconds=[], lines=len(texts), blank=0)
    report = summarize(filtered, manifest, {"small": throughput(1, 10)}, SETTINGS)
    return render_markdown(report, SETTINGS), render_report(ReportContext(report, SETTINGS))


def check_markup_is_inert(page: str, texts: list[str], profile: Path) -> None:
    """Fail unless a page shows all of these texts in a browser, and runs none of them."""
    dom = dom_of(page, profile)
    shown = [text for text in texts if escape(text, quote=False) in dom.replace("\u2060", "").replace("&nbsp;", " ")]
    assert shown == texts, page
    assert "<title>ran" not in dom
    assert 'href="javascript:' not in dom


def test_row_38_markup_in_the_page_runs_nothing_and_fetches_nothing(tmp_path):
    with hostile_report() as (texts, _, page, requested):
        (tmp_path / "report.html").write_text(page)
        check_markup_is_inert((tmp_path / "report.html").as_uri(), texts, tmp_path / "profile")
        assert requested == []
