"""Markup in transcripts, in a real browser: the report's page, and its artifact in both of Prefect's UIs."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.conftest import CHROMIUM, running_server
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


def report_with(texts: list[str]) -> tuple[str, str]:
    """Render a report that shows these texts as examples, as markdown and as a page."""
    dropped = {"wer": 1.0, "small_wer": 1.0, "model": "small", "decision": "drop"}
    reasons = ["WER_ABOVE_MAX", "REJECTED_BY_GATE", "CHAR_RATE_BELOW_MIN", "CHAR_RATE_ABOVE_MAX"]
    filtered = rows(*[dropped | {"text": t, "pred_text": t, "reason": reasons[i % 4]} for i, t in enumerate(texts)])
    manifest = type(MANIFEST)(shards=[], seconds=[], lines=len(texts), blank=0)
    report = summarize(filtered, manifest, {"small": throughput(1, 10)}, SETTINGS)
    return render_markdown(report, SETTINGS), render_report(ReportContext(report, SETTINGS))


def test_row_38_markup_runs_nothing_and_fetches_nothing_in_a_browser(tmp_path, prefect_home):
    with canary_server() as (address, requested), running_server(prefect_home) as api:
        texts = [text.replace("{}", address) for text in HOSTILE]
        text, report_page = report_with(texts)
        (tmp_path / "report.html").write_text(report_page)
        artifact = {"key": "quality-report", "type": "markdown", "data": text}
        name = httpx.post(f"{api}/artifacts/", json=artifact).raise_for_status().json()["id"]
        ui = api.removesuffix("/api")
        pages = [(tmp_path / "report.html").as_uri()]
        pages += [f"{ui}/artifacts/artifact/{name}", f"{ui}/v2/artifacts/artifact/{name}"]
        for page in pages:
            dom = dom_of(page, tmp_path / "profile")
            shown = [t for t in texts if escape(t, quote=False) in dom.replace("\u2060", "").replace("&nbsp;", " ")]
            assert shown == texts, page
            assert "<title>ran" not in dom
            assert 'href="javascript:' not in dom
        assert requested == []
