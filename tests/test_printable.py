"""Untrusted text: file names, transcripts and messages that try to act on a terminal, a log or a page."""

import json
import logging
import os
import re
import subprocess
import sys

import httpx
import pytest
from rich.table import Table
from rich.text import Text

from cli.app import main
from cli.console import EscapingConsole
from tests.conftest import ROOT, published_rows
from winnow.doctor.findings import failed
from winnow.errors import OutputError
from winnow.printable import one_line, printable, printable_json
from winnow.reports.formatting import escape_markdown
from winnow.reports.render import render_page

ATTACKS = {
    "colour": "\x1b[31mred",
    "title of the window": "\x1b]0;owned\x07",
    "C1 control": "\x9b2J",
    "carriage return": "ok\rFAILED",
    "backspace": "FAILED\x08\x08\x08\x08\x08\x08ok",
    "right to left override": "gnp.\u202e3pm",
    "isolate": "\u2066a\u2069",
    "marks": "\u200ea\u200fb\u061cc",
    "line separator": "a\u2028b\u2029c",
    "not UTF-8": "a\udcff.wav",
    "NUL and DEL": "a\x00b\x7f",
}
ACTIVE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
EVERYTHING = " ".join(ATTACKS.values())


@pytest.mark.parametrize("text", ATTACKS.values(), ids=list(ATTACKS))
def test_text_is_printable_wherever_it_is_shown(text, capsys):
    table = Table("file")
    table.add_row(Text(text))
    console = EscapingConsole(force_terminal=True, color_system=None, width=200)
    console.print(table, Text(text), text, markup=False)
    printed = capsys.readouterr().out
    shown = [
        printed,
        printable(text),
        one_line(text),
        str(OutputError(text)),
        failed("audio", text, text).message,
        escape_markdown(text),
        render_page(f"| a |\n| --- |\n| {escape_markdown(text)} |", text),
    ]
    assert [each for each in shown if ACTIVE.search(each)] == []
    assert "".join(shown).encode()


def test_what_is_shown_names_the_character():
    assert one_line("a\x1b[31m\u202eb\nc") == r"a\x1b[31m\u202eb c"
    assert escape_markdown("a\u202eb") == "a&#92;u202eb"


def test_json_is_printable_and_has_the_same_values():
    text = json.dumps({EVERYTHING: [EVERYTHING]}, ensure_ascii=False, indent=1)
    assert not ACTIVE.search(printable_json(text))
    assert json.loads(printable_json(text)) == json.loads(text)


@pytest.mark.parametrize("text", ["naïve 日本語 ‘quoted’", "नमस्ते क्\u200dष", "می\u200cخواهم", "a\tb", "👩\u200d👧"])
def test_ordinary_text_is_unchanged(text):
    assert printable(text) == text


def test_log_has_one_printable_line_for_each_record(log_lines):
    logging.getLogger("winnow").info("%s", f"a.wav\n12:00:00 forged {EVERYTHING} https://ann:s3cret@host/")
    (line,) = log_lines
    assert not ACTIVE.search(line)
    assert "\n" not in line
    assert "https://***@host/" in line


def test_commands_print_nothing_that_acts_on_the_terminal(tmp_path, manifest, hears, prefect_server, capfd):
    """Through a whole run: terminal, report and what Prefect stores; the data itself is unchanged."""
    name = "a\x1b[31m\u202e\x9b2J.wav"
    folder = tmp_path / "in\x1b]0;owned\x07"
    folder.mkdir()
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"}, {"audio_filepath": name, "text": f"bye {name}"})
    corpus = corpus.rename(folder / "corpus\x1b[2J\u202e.jsonl")
    models = hears(small={"a.wav": "hello", name: "good \u202e bye \x1b[2J"})
    command = ["curate", str(corpus), "--relative-to", str(tmp_path), "--output", str(folder / "out"), "--small"]
    printed = winnow(*command, models["small"], "--filter.rules", "cer <= 0.1", server=prefect_server)
    for words, code in (
        (["verify", str(folder / "out")], 0),
        (["verify", str(folder / "missing\x1b[2J")], 2),
        (["curate", "missing\x1b[2J\u202e.jsonl", "--output", "x", "--small", "y\x9b.nemo"], 2),
        (["models", "show", "\x1b[2J\u202e"], 2),
        (["curate", "a.jsonl", "--\x1b[2J"], 2),
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == code
        printed += "".join(shown := capfd.readouterr())
        assert any(shown)
    run = folder / "out"
    assert not ACTIVE.search(printed)
    assert not ACTIVE.search((run / "report.html").read_text().replace("\n", ""))
    assert "\\u202e" in (run / "report.html").read_text()
    assert not ACTIVE.search((run / "report.json").read_text())
    assert [row["audio_filepath"].rpartition("/")[2] for row in published_rows(run)] == ["a.wav", name]
    for kind in ("flow_runs", "task_runs", "artifacts", "logs"):
        answer = httpx.post(f"{prefect_server}/{kind}/filter", json={"limit": 200}).json()
        values = [item.get(key) for item in answer for key in ("name", "message", "data", "description")]
        assert [value for value in values if isinstance(value, str) and ACTIVE.search(value)] == []


def winnow(*words: str, server: str) -> str:
    environment = os.environ | {"PREFECT_API_URL": server}
    command = [sys.executable, "-P", "-m", "cli.app", *words]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr
