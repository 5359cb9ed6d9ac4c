"""Relabel: dropped rows get what was said as their text, and everything else of the run stays as it was."""

import json
from pathlib import Path

import pytest
from pyarrow.compute import field

from cli.app import app
from flows.curate import run_curation
from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from flows.relabel import run_relabel
from tasks.relabel import relabel
from tests.conftest import published_rows, shard_table
from tests.test_proposals import WRONG
from winnow.api.run import open_run
from winnow.engines.engine import Batch
from winnow.engines.transcripts import PrecomputedHypotheses, TranscriptEngine
from winnow.errors import OutputError
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.maintenance import Refilter, Relabel
from winnow.reports.summary import RelabelledCount
from winnow.runs.completion import SUCCESS, read_completion
from winnow.runs.shard_files import read_table
from winnow.runs.verify import verify_run
from winnow.schema import BEFORE_FILTER
from winnow.sweep.outcomes import gather_outcomes, run_stages
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis
from winnow.text.respell import equal_texts
from winnow.validation.rules import rules_for
from winnow.verdicts.files import VerdictFile
from winnow.verdicts.keys import row_keys
from winnow.verdicts.verdict import Verdict

SAID = {"a": "five nine eight", "b": "one two three", "c": "four four four", "d": "six six"}
TEXTS = SAID | {"b": "one seven seven", "c": "nine nine nine"}


def test_relabelled_row_has_the_scores_and_the_evidence_of_its_new_text():
    listed = [{"text": "nine", "read": "two", "place": 1, "start": 0.5, "end": 1.0, "gap": 9.0}]
    own = WRONG | {"fields": "{}", "small_doubtful_words": listed}
    rows = shard_table(BEFORE_FILTER, **{name: [value, value] for name, value in own.items()})
    judged = rows.append_column("decision", [["drop", "keep"]]).append_column("proposal", [["five two eight"] * 2])
    changed, kept = relabel(rows, judged, "basic").to_pylist()
    assert kept == rows.to_pylist()[1] | {"input_text": None}
    assert (changed["text"], changed["input_text"]) == ("five two eight", "five nine eight")
    for role in ("small", "large"):
        columns = ("wer", "hits", "substitutions", "gap", "evidence", "doubt", "doubtful")
        assert [changed[f"{role}_{name}"] for name in columns] == [0.0, 3, 0, 0.0, 0.0, 0.0, None]
    assert (changed["small_doubtful_words"], changed["large_doubtful_words"]) == ([], None)


class Certain(PrecomputedHypotheses):
    """A file of transcripts that gives no probability to any other text."""

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        requests = [request for batch in batches for request, _ in batch]
        read = [self.hypothesis_for(request) for request in requests]
        return [
            Hypothesis(hypothesis.text, evidence=tuple(evidence_for(text, hypothesis.text) for text in request.texts))
            for request, hypothesis in zip(requests, read, strict=True)
        ]


def evidence_for(text: str, read: str) -> TextEvidence:
    gap = 0.0 if equal_texts(text, read, "basic") else 20.0
    return TextEvidence(len(text.split()), gap, gap / 1.1)


@pytest.fixture
def run(manifest, hears, tmp_path, monkeypatch) -> Path:
    """A finished run: of two wrong references, both models read one alike; a third row has no audio."""
    monkeypatch.setattr(TranscriptEngine, "load", lambda self, checkpoint, options: Certain(checkpoint))
    corpus = manifest(
        *({"audio_filepath": f"{name}.wav", "text": text} for name, text in TEXTS.items()),
        {"audio_filepath": "missing/e.wav", "text": "one two three"},
    )
    (tmp_path / "missing" / "e.wav").unlink()
    heard = {f"{name}.wav": text for name, text in SAID.items()} | {"missing/e.wav": "one"}
    models = hears(small=heard, large=heard | {"c.wav": "four five four"})
    settings = Curation(
        manifest=corpus,
        output=str(tmp_path / "out"),
        shard_hours=2 / 3600,
        max_quarantined=1.0,
        **{"gate": {"preset": "everything"}, **models},
    )
    run_curation(settings, InProcess())
    return tmp_path / "out"


def test_dropped_row_gets_what_both_models_read_and_the_rest_stays(run, tmp_path):
    before = {row["id"]: row for row in published_rows(run)}
    assert [row["proposal"] for row in before.values()] == [None, "one two three", None, None, None]
    assert [row["large_small_gap"] for row in before.values()] == [0.0, 0.0, 20.0, 0.0, None]
    report = run_relabel(Relabel(run=str(run), output=str(tmp_path / "new")), InProcess())
    after = published_rows(tmp_path / "new")
    assert [(row["text"], row["input_text"], row["decision"]) for row in after] == [
        ("five nine eight", None, "keep"),
        ("one two three", "one seven seven", "keep"),
        ("nine nine nine", None, "drop"),
        ("six six", None, "keep"),
        ("one two three", None, "quarantine"),
    ]
    assert [row | {"input_text": None} for row in after if row["id"] != 2] == [
        row | {"input_text": None} for number, row in before.items() if number != 2
    ]
    assert report.relabelled == RelabelledCount(utterances=1, hours=1 / 3600, kept=1)
    assert (report.proposals.utterances, open_run(run).report.proposals.utterances) == (0, 1)
    assert (report.kept, report.dropped, report.quarantined) == (3, 1, 1)
    assert [check.sentence for check in verify_run(tmp_path / "new") if not check.holds] == []
    assert [check.sentence for check in verify_run(run) if not check.holds] == []
    kept = [line for line in (tmp_path / "new" / "manifest.jsonl").read_text().splitlines() if "input_text" in line]
    assert [json.loads(line)["input_text"] for line in kept] == ["one seven seven"]


def test_relabelled_run_is_refiltered_and_swept_with_its_new_texts(run, tmp_path):
    run_relabel(Relabel(run=str(run), output=str(tmp_path / "new")), InProcess())
    rules = Filter(rules=("COPIES: copies(text) <= 1", "wer <= 0.1"))
    report = run_refilter(
        Refilter(run=str(tmp_path / "new"), output=str(tmp_path / "other"), filter=rules), InProcess()
    )
    assert [(row["text"], row["reasons"]) for row in published_rows(tmp_path / "other")][1] == (
        "one two three",
        ["COPIES"],
    )
    outcomes = gather_outcomes(run_stages(tmp_path / "new"), rules_for(open_run(tmp_path / "new").settings), "basic")
    assert outcomes.kept.tolist() == [True, True, False, True]
    assert report.relabelled == RelabelledCount(utterances=1, hours=1 / 3600, kept=0)
    with pytest.raises(OutputError, match="were replaced by proposals already"):
        run_relabel(Relabel(run=str(tmp_path / "other"), output=str(tmp_path / "again")), InProcess())


def test_row_that_a_reviewer_decided_gets_no_proposal(run, tmp_path):
    (key,) = (key for file in run_stages(run)["filter"] for key in row_keys(read_table(file).filter(field("id") == 2)))
    verdict = {"id": "a" * 32, "row": key, "line": 2, "kind": "drop", "reviewer": "anna", "at": "2026-01-01T00:00:00Z"}
    VerdictFile(run, "anna").append(Verdict.model_validate(verdict))
    report = run_relabel(Relabel(run=str(run), output=str(tmp_path / "new"), reviews=True), InProcess())
    row = published_rows(tmp_path / "new")[1]
    assert (row["text"], row["reason"], row["input_text"]) == ("one seven seven", "REVIEWED", None)
    assert (report.relabelled, report.reviewed.dropped) == (None, 1)
    assert [check.sentence for check in verify_run(tmp_path / "new") if not check.holds] == []


def test_interrupted_relabelling_is_resumed_to_the_same_bytes(run, tmp_path, monkeypatch):
    new = tmp_path / "new"
    run_relabel(Relabel(run=str(run), output=str(new)), InProcess())
    complete = read_completion(new).sha256
    (new / SUCCESS).unlink()
    for record in (new / "_ledger").glob("*.json"):
        if '"stage": "filter"' in record.read_text():
            record.unlink()
    resumed = []
    monkeypatch.setattr("cli.run.relabel", lambda request, json: resumed.append(request))
    app(["resume", str(new)], result_action="return_value")
    assert resumed == [Relabel(run=str(run), output=str(new))]
    run_relabel(Relabel(run=str(run), output=str(new)), InProcess())
    assert read_completion(new).sha256 == complete
    assert [check.sentence for check in verify_run(new) if not check.holds] == []


def test_run_of_one_model_has_no_proposals(manifest, hears, tmp_path):
    corpus = manifest({"audio_filepath": "a.wav", "text": "one"})
    settings = Curation(manifest=corpus, output=str(tmp_path / "out"), **hears(small={"a.wav": "one"}))
    run_curation(settings, InProcess())
    with pytest.raises(OutputError, match="this run has one"):
        run_relabel(Relabel(run=str(tmp_path / "out"), output=str(tmp_path / "new")), InProcess())
