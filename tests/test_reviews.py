"""Reviews: what people decide about rows is never lost, the last word counts, and new runs follow it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.app import app
from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from tasks.review import review
from tests.conftest import ROOT, published_rows, shard_table
from tests.in_process import curate
from winnow.api.run import open_run
from winnow.errors import OutputError, RunMismatch
from winnow.parameters.filter import Filter
from winnow.parameters.maintenance import Refilter
from winnow.reports.summary import ReviewedCount
from winnow.review.session import Session
from winnow.runs import ledger
from winnow.runs.run_record import read_run_record
from winnow.runs.shard_files import read_table
from winnow.runs.verify import verify_run
from winnow.schema import BEFORE_FILTER
from winnow.verdicts.files import VerdictFile, VerdictReader, read_verdicts
from winnow.verdicts.keys import row_keys
from winnow.verdicts.verdict import Verdict, standing

ROW, OTHER = "a" * 32, "b" * 32
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def verdict(number: int, kind: str, row: str = ROW, **values: object) -> Verdict:
    """Return a verdict, at a second of its own and with an id of its own."""
    known = {"reviewer": "anna", "at": BEGIN + timedelta(seconds=number), "line": 1}
    return Verdict.model_validate({"id": f"{number:032x}", "row": row, "kind": kind} | known | values)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([verdict(1, "keep")], ("keep", False)),
        ([verdict(2, "drop"), verdict(1, "keep")], ("drop", False)),
        ([verdict(1, "keep"), verdict(1, "keep")], ("keep", False)),
        ([verdict(1, "keep"), verdict(2, "drop", reviewer="ben")], ("drop", False)),
        ([verdict(1, "keep"), verdict(2, "drop"), verdict(3, "undo", undoes=f"{2:032x}")], ("keep", False)),
        ([verdict(1, "keep"), verdict(2, "undo", undoes=f"{1:032x}")], None),
        ([verdict(1, "flag"), verdict(2, "keep")], ("keep", True)),
        ([verdict(1, "flag"), verdict(2, "unflag")], (None, False)),
        ([verdict(1, "edit", text=" said  so ")], ("edit", False)),
    ],
)
def test_last_verdict_that_was_not_undone_stands(verdicts, expected):
    stands = standing([*verdicts, verdict(9, "drop", row=OTHER)]).get(ROW)
    assert (stands and (stands.decided and stands.decided.kind, stands.flagged)) == expected


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "edit"},
        {"kind": "edit", "text": "  "},
        {"kind": "keep", "text": "said"},
        {"kind": "undo"},
        {"kind": "keep", "undoes": "a" * 32},
        {"kind": "keep", "row": "../row"},
        {"kind": "keep", "at": datetime(2026, 1, 2)},
        {"kind": "keep", "more": 1},
    ],
)
def test_verdict_that_says_nothing_is_refused(values):
    with pytest.raises(ValueError, match="validation error"):
        verdict(1, **({"kind": "keep"} | values))


def test_text_that_a_reviewer_wrote_in_several_lines_is_one_line():
    assert verdict(1, "edit", text="one two\r\n three\n\u2028four \n").text == "one two three four"


def test_verdict_that_cannot_be_written_is_an_error_that_says_so(tmp_path):
    (tmp_path / "reviews").write_text("")
    with pytest.raises(OutputError, match=r"reviews: File exists: the verdict was not written"):
        VerdictFile(tmp_path, "anna").append(verdict(1, "keep"))


def test_line_that_was_being_written_does_not_count_and_any_other_damage_is_an_error(tmp_path):
    file = VerdictFile(tmp_path, "Anna / Müller")
    for number in (1, 2):
        file.append(verdict(number, "keep"))
    (path,) = (tmp_path / "reviews").iterdir()
    assert path.name.startswith("Anna-M-ller-")
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    written = read_verdicts(tmp_path)
    assert written.verdicts == [verdict(1, "keep")]
    assert written.warnings == [f"{path}: its last line is cut off and does not count"]
    path.write_bytes(whole[5:])
    with pytest.raises(OutputError, match=r"\.jsonl:1: not a verdict"):
        read_verdicts(tmp_path)


def test_only_what_was_added_to_files_of_verdicts_is_read_again(tmp_path):
    anna, ben = VerdictFile(tmp_path, "anna"), VerdictFile(tmp_path, "ben")
    reader = VerdictReader(tmp_path)
    assert (reader.new().verdicts, reader.is_stale()) == ([], False)
    for number, file in enumerate([anna, ben, anna], 1):
        file.append(verdict(number, "keep"))
        assert reader.new().verdicts == [verdict(number, "keep")]
    (path,) = (tmp_path / "reviews").glob("anna*")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert reader.new().warnings == [f"{path}: its last line is cut off and does not count"]
    path.write_bytes(whole + b"nothing\n")
    ben.append(verdict(4, "drop"))
    for _ in range(2):
        with pytest.raises(OutputError, match=r"\.jsonl:3: not a verdict"):
            reader.new()
    path.write_bytes(whole)
    assert (reader.new().verdicts, reader.is_stale()) == ([verdict(4, "drop")], False)
    path.write_bytes(whole[:-5])
    assert reader.is_stale()
    path.unlink()
    assert reader.is_stale()


WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from winnow.verdicts.files import VerdictFile
from winnow.verdicts.verdict import Verdict

file = VerdictFile(Path(sys.argv[1]), "ben")
about = {"row": "a" * 32, "line": 1, "kind": "keep", "reviewer": "ben", "at": "2026-01-02T03:04:05Z"}
for number in range(1_000, 11_000):
    file.append(Verdict.model_validate(about | {"id": f"{number:032x}"}))
    print(number, flush=True)
"""


def test_verdicts_of_two_reviewers_survive_the_death_of_one(tmp_path):
    """One is killed while it writes; all that it had said it wrote is there, and the other goes on."""
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as ben:
        assert ben.stdout
        anna = VerdictFile(tmp_path, "anna")
        said = [int(ben.stdout.readline()) for _ in range(20)]
        anna.append(verdict(1, "drop"))
        ben.kill()
        said += map(int, ben.stdout.read().split())
    anna.append(verdict(2, "drop"))
    numbers = {int(one.id, 16) for one in read_verdicts(tmp_path).verdicts}
    assert {1, 2, *said} <= numbers <= {1, 2, *said, said[-1] + 1}


SAID = {"a": "one two", "b": "three four", "c": "five six", "d": "seven eight"}
TEXTS = SAID | {"b": "three nine", "c": "nine nine"}


@pytest.fixture
def run(manifest, hears, tmp_path) -> Path:
    """A finished run, of which b and c are dropped, and e has no audio."""
    corpus = manifest(
        *({"audio_filepath": f"{name}.wav", "text": text, "offset": 0} for name, text in TEXTS.items()),
        {"audio_filepath": "missing/e.wav", "text": "one"},
    )
    (tmp_path / "missing" / "e.wav").unlink()
    models = hears(small={f"{name}.wav": text for name, text in SAID.items()} | {"missing/e.wav": "one"})
    curate(manifest=corpus, output=str(tmp_path / "out"), shard_hours=2 / 3600, max_quarantined=1.0, **models)
    return tmp_path / "out"


def keys_of(run: Path) -> dict[str, str]:
    """Return the keys of the rows of a run, by the names of their audio files without endings."""
    keys = {}
    for file in ledger.files_by_stage(run)["filter"]:
        rows = read_table(file)
        keys |= {
            Path(name).stem: key for name, key in zip(rows["audio_filepath"].to_pylist(), row_keys(rows), strict=True)
        }
    return keys


def texts_and_decisions(run: Path) -> dict[str, tuple[object, ...]]:
    names = ("text", "decision", "reason", "review")
    return {Path(row["audio_filepath"]).stem: tuple(row.get(name) for name in names) for row in published_rows(run)}


def refilter(run: Path, output: Path, reviews: bool = True, **rules: object):
    request = Refilter(run=str(run), output=str(output), reviews=reviews, filter=Filter(**rules))
    return run_refilter(request, InProcess())


def test_refilter_follows_the_verdicts_whatever_the_rules_say(run, tmp_path, monkeypatch):
    keys = keys_of(run)
    with pytest.raises(OutputError, match="no reviews"):
        refilter(run, tmp_path / "new")
    file = VerdictFile(run, "anna")
    for number, (name, kind, text) in enumerate(
        [("a", "drop", None), ("b", "keep", None), ("c", "edit", "five six"), ("e", "keep", None), ("d", "flag", None)]
    ):
        about = {"line": "abcde".index(name) + 1} | ({"text": text} if text else {})
        file.append(verdict(number, kind, keys[name], **about))
    report = refilter(run, tmp_path / "new", max_wer=0.1)
    assert texts_and_decisions(tmp_path / "new") == {
        "a": ("one two", "drop", "REVIEWED", "drop"),
        "b": ("three nine", "keep", None, "keep"),
        "c": ("five six", "keep", None, "edit"),
        "d": ("seven eight", "keep", None, None),
        "e": ("one", "quarantine", "AUDIO_MISSING", None),
    }
    c = next(row for row in published_rows(tmp_path / "new") if row["text"] == "five six")
    assert (c["input_text"], c["small_wer"], c["wer"], c["reviewer"]) == ("nine nine", 0.0, 0.0, "anna")
    assert c["reviewed_at"] == "2026-01-02T03:04:07+00:00"
    assert report.reviewed == ReviewedCount(
        utterances=3, hours=3 / 3600, kept=1, dropped=1, edited=1, reviewers={"anna": 3}
    )
    assert (report.kept, report.dropped, report.quarantined, report.relabelled) == (3, 1, 1, None)
    assert report.reasons["REVIEWED"].utterances == 1
    checks = verify_run(tmp_path / "new")
    assert [check.sentence for check in checks if not check.holds] == []
    assert "3 reviewed rows are kept or dropped as their reviewers decided" in [check.sentence for check in checks]
    assert [check.sentence for check in verify_run(run) if not check.holds] == []
    assert "People decided about 3 utterances" in (tmp_path / "new" / "report.html").read_text()
    lines = map(json.loads, (tmp_path / "new" / "manifest.jsonl").read_text().splitlines())
    assert [line["text"] for line in lines] == ["three nine", "five six", "seven eight"]
    assert open_run(tmp_path / "new").report == report

    # a text that was edited is right in the run that has it
    session = Session(str(tmp_path / "new"), "anna")
    session.decide(4, "keep")
    kept = session.estimates()["keep"]
    session.close()
    assert (kept.reviewed, kept.right) == (3, 3)

    # what a run was made with counts in the runs that are made from it, and may be taken back there
    again = VerdictFile(tmp_path / "new", "ben")
    again.append(verdict(9, "undo", keys["b"], reviewer="ben", undoes=f"{1:032x}"))
    assert keys_of(tmp_path / "new") == keys
    refilter(tmp_path / "new", tmp_path / "kept", reviews=False, max_wer=0.1)
    assert texts_and_decisions(tmp_path / "kept") == texts_and_decisions(tmp_path / "new")
    refilter(tmp_path / "new", tmp_path / "undone", max_wer=0.1)
    assert texts_and_decisions(tmp_path / "undone")["b"] == ("three nine", "drop", "WER_ABOVE_MAX", None)
    assert texts_and_decisions(tmp_path / "undone")["c"][0] == "five six"

    # a run that is resumed goes on with the verdicts that it was begun with
    resumed: list[Refilter] = []
    monkeypatch.setattr("cli.run.refilter", lambda request, json: resumed.append(request))
    app(["resume", str(tmp_path / "new")], result_action="return_value")
    sha256 = read_run_record(tmp_path / "new").sha256["verdicts"]
    begun = Refilter(run=str(run), output=str(tmp_path / "new"), reviews=True, filter=Filter(max_wer=0.1))
    assert resumed == [begun.model_copy(update={"verdicts": sha256})]

    # what rules would keep of such a run is what a run with them keeps
    app(
        ["refilter", str(tmp_path / "new"), "--filter.max-wer", "0.1", "--json", str(tmp_path / "shown.json")],
        result_action="return_value",
    )
    shown = json.loads((tmp_path / "shown.json").read_text())
    counts = {name: shown[name]["utterances"] for name in ("kept by these rules", "no longer kept", "newly kept")}
    assert counts == {"kept by these rules": 3, "no longer kept": 0, "newly kept": 0}
    assert [cost["violations"]["utterances"] for cost in shown["rules"]] == [0, 0]  # people decided about b
    app(["sweep", str(tmp_path / "new"), "--json", str(tmp_path / "shown.json")], result_action="return_value")
    curves = [cost["curve"] for cost in json.loads((tmp_path / "shown.json").read_text())["rules"] if cost["curve"]]
    assert {point["kept"]["utterances"] for curve in curves for point in curve} == {3}

    # the same command again makes the same run, and other verdicts are another run
    assert refilter(run, tmp_path / "new", max_wer=0.1) == report
    file.append(verdict(10, "drop", keys["d"]))
    with pytest.raises(RunMismatch, match=r"sha256\.verdicts was"):
        refilter(run, tmp_path / "new", max_wer=0.1)
    (tmp_path / "new" / "_SUCCESS.json").unlink()
    assert run_refilter(resumed[0], InProcess()) == report
    file.append(verdict(99, "flag", keys["a"], at=BEGIN - timedelta(days=1)))  # as one that was imported
    with pytest.raises(OutputError, match=r"its reviews are not those .* choose another output"):
        run_refilter(resumed[0], InProcess())


def test_row_without_a_reference_gets_the_text_that_a_reviewer_wrote():
    row = {
        "id": 1,
        "audio_filepath": "a.wav",
        "duration": 1.0,
        "fields": "{}",
        "small_pred_text": "one",
        "small_gap": 0.0,
    }
    rows = shard_table(BEFORE_FILTER, **{name: [value] for name, value in row.items()})
    (key,) = row_keys(rows)
    reviewed = review(rows, standing([verdict(1, "edit", key, text="one two")]), "basic")
    (after,) = reviewed.to_pylist()
    assert (after["text"], after["input_text"], after["small_deletions"], after["review"]) == ("one two", "", 1, "edit")
    assert (after["small_gap"], after["small_no_evidence"]) == (None, "TEXT_EDITED")
    assert row_keys(reviewed) == [key]
