"""One summary: page, artifacts, JSON, terminal and review app of a run have the same figures."""

import io
import json
import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from cli.console import console
from cli.run import print_report, print_reports
from cli.verify import verify
from flows.curate import run_curation
from flows.orchestrator import InProcess
from tests.test_report_page import Parsed
from winnow.parameters.curation import Curation
from winnow.reports.formatting import format_amount
from winnow.reports.headline import cards
from winnow.reports.summary import Report
from winnow.review.server import make_app
from winnow.review.session import Session


class Collecting(InProcess):
    """Runs a flow in this process, and keeps what it shows."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.tables: dict[str, list[dict]] = {}

    def markdown(self, text: Callable[[], str], key: str, description: str) -> None:
        self.texts[key] = text()

    def table(self, rows: list[dict], key: str, description: str) -> None:
        self.tables[key] = rows


@pytest.fixture
def run(manifest, hears, tmp_path):
    """A cascade that keeps, drops, escalates and quarantines, and the artifacts that it showed."""
    rows = [{"audio_filepath": f"{n}.wav", "duration": 1.0, "text": "good morning dear friends"} for n in range(30)]
    small = {f"{n}.wav": "good morning dear friends" if n % 3 else "what was that" for n in range(30)}
    large = {f"{n}.wav": "good morning dear friends" if n % 2 else "who said that" for n in range(30)}
    corpus = manifest(*rows)
    corpus.write_text(corpus.read_text() + '{"audio_filepath": "gone.wav", "duration": 1.0, "text": "a"}\n\n')
    settings = Curation(manifest=corpus, output=tmp_path / "out", price=2.5, **hears(small=small, large=large))
    orchestrator = Collecting()
    return tmp_path / "out", run_curation(settings, orchestrator), orchestrator


@pytest.mark.parametrize("to", [None, []])  # with --json alone, everything else is on standard error
def test_quiet_check_of_a_damaged_run_says_what_is_wrong(run, capfd, monkeypatch, to):
    folder, _, _ = run
    (folder / "report.html").unlink()
    monkeypatch.setattr(console, "quiet", True)
    capfd.readouterr()
    assert verify(str(folder), to) is False
    printed = capfd.readouterr()
    assert "FAILED" in printed.err
    assert not re.search(r"^ok ", printed.err, re.MULTILINE)
    assert [check["holds"] for check in json.loads(printed.out)].count(False) == 1 if to == [] else not printed.out


def numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,]*(?:\.\d+)?", text)


def test_page_artifacts_json_terminal_and_app_of_a_run_have_the_same_figures(run, capsys):
    folder, report, shown = run
    written = json.loads((folder / "report.json").read_text())
    assert Report.model_validate(written) == report
    page, markdown = Parsed((folder / "report.html").read_text()).text, shown.texts["quality-report"]
    terminal = Console(width=120, record=True, file=io.StringIO())
    print_report(report, str(folder), terminal)
    printed = terminal.export_text()

    assert f"The page is `{folder}/report.html`." in markdown
    decided = {name: written[name] for name in ("kept", "dropped", "quarantined")}
    assert decided == {"kept": 25, "dropped": 5, "quarantined": 1}
    for name, count in decided.items():
        hours = written.get(f"{name}_hours")
        figures = [f"{count:,}", *([] if hours is None else [f"{hours:.3f}"])]
        assert numbers(re.search(rf"^{name} .*$", printed, re.MULTILINE)[0]) == figures
        row = re.search(rf"\| {name.capitalize()} \| (\S+) \| \S+% \| (.*) \|", markdown)
        assert row
        assert list(filter(None, row.groups())) == figures
        cells = re.search(rf"\n{name.capitalize()}\n([\d,]+)\n[\d.]+%\n([\d.]*)", page)
        assert cells
        assert list(filter(None, cells.groups())) == figures
    for card in cards(report):
        assert card.value in page
    assert {row["reason"]: row["utterances"] for row in shown.tables["reasons"]} == {
        name: count["utterances"] for name, count in written["reasons"].items()
    }
    assert {row["band"]: (row["utterances"], row["kept"]) for row in shown.tables["gate"]} == {
        name: (band["utterances"], band["kept"]) for name, band in written["bands"].items()
    }
    cost = written["cost"]
    assert cost["price"] == 2.5
    assert cost["device_hours"] * 3600 == pytest.approx(sum(speed["seconds"] for speed in written["speed"].values()))
    assert cost["amount"] == pytest.approx(2.5 * cost["device_hours"])
    assert cost["per_1000_hours"] == pytest.approx(1000 * cost["amount"] / written["hours"])
    for amount in map(format_amount, (cost["amount"], cost["per_1000_hours"])):
        for text in (page, markdown, printed):
            assert re.search(rf"(?<![\d.]){re.escape(amount)}\b", text)
    for name, count in written["reasons"].items():
        assert f"`{name}` | {count['utterances']:,} |" in markdown
        assert re.search(rf"\n{name}\n{count['utterances']:,}\n", page)
    for rate in filter(None, (written["wer"]["all"]["corpus"], written["wer"]["kept"]["corpus"])):
        assert f"| {rate:.1%} |" in markdown
        assert f"\n{rate:.1%}\n" in page
    assert written["recommendations"]
    for advice in written["recommendations"]:
        sentence = advice["sentence"].replace("`", "")
        assert sentence in page.replace("\u2060", "")
        assert advice["sentence"] in markdown
        assert advice["sentence"] in printed
        for text in (page, markdown, printed):
            assert advice["command"] in text

    session = Session(str(folder), "anna")
    app = TestClient(make_app(session, "token")).get("/token/api/run").json()
    session.close()
    assert app["summary"].startswith(
        f"25 of 31 utterances kept ({written['kept_hours']:.3f} of {written['hours']:.3f} h)"
    )
    assert app["summary"] in markdown.replace("**", "")
    assert app["choices"]["decision"] == {"keep": 25, "drop": 5, "quarantine": 1}
    assert app["choices"]["reason"] == {name: count["utterances"] for name, count in written["reasons"].items()}

    print_reports({str(folder): report}, (terminal, lambda figures: print(json.dumps(figures))))
    assert json.loads(capsys.readouterr().out) == written
