"""Runs that judge references by their doubt, with the demo's models and with models whose readings are known."""

import json
import math
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cli.sweep import compare, sweep
from flows.curate import run_curation
from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from flows.relabel import run_relabel
from tests.conftest import DEMO, published_rows
from winnow.api.run import open_run
from winnow.engines.engine import Batch, Checkpoint
from winnow.engines.transcripts import PrecomputedHypotheses, TranscriptEngine
from winnow.evidence.planting import KINDS
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.parameters.maintenance import Refilter, Relabel
from winnow.parameters.selection import Route
from winnow.runs.completion import SUCCESS
from winnow.runs.ledger import files_by_stage
from winnow.runs.retry import retry_later
from winnow.runs.verify import verify_run
from winnow.schema import PLANTED
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis
from winnow.text.metrics import word_error_rate

OUTPUTS = ("manifest.jsonl", "report.json")
UTTERANCES = 14


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """The first utterances of the demo, and one without audio."""
    lines = (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()[: UTTERANCES - 1]
    missing = json.dumps({"audio_filepath": "missing.wav", "duration": 2.0, "text": "nobody says this aloud"})
    path = tmp_path_factory.mktemp("corpus") / "demo.jsonl"
    path.write_text("\n".join([*lines, missing]) + "\n")
    return path


def demo_settings(corpus: Path, output: Path, **parameters) -> Curation:
    models = {"small": str(DEMO / "small.nemo"), "large": str(DEMO / "large.nemo")}
    return Curation(
        manifest=corpus,
        output=str(output),
        relative_to=DEMO / "corpus",
        shard_hours=25 / 3600,
        max_quarantined=1.0,
        engine=EngineOptions(doubtful_words=True),
        **models | parameters,
    )


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("run") / "out"
    run_curation(demo_settings(corpus, output), InProcess())
    return output


def texts_in(run: Path) -> str:
    """Return everything that a run publishes as one text."""
    tables = [pq.read_table(file) for part in ("data", "rejects") for file in sorted((run / part).glob("*"))]
    rows = [json.dumps(table.to_pylist(), default=str) for table in tables]
    return "\n".join([*rows, *((run / name).read_text() for name in OUTPUTS)])


def test_run_finds_planted_errors_and_publishes_none(run):
    files = files_by_stage(run)
    assert len(files["plant"]) > 1
    shards = [pq.read_table(file) for file in files["plant"]]
    planted = [error for shard in shards for errors in shard[PLANTED].to_pylist() for error in errors or ()]
    assert {error["kind"] for error in planted} == set(KINDS)
    published = texts_in(run)
    references = {text for shard in shards for text in shard["text"].to_pylist()}
    changed = {error["text"] for error in planted} - references
    read = {text for row in published_rows(run) for text in (row["small_pred_text"], row["large_pred_text"])}
    assert len(changed) > 40
    assert [text for text in changed - read if f'"{text}"' in published] == []
    columns = open_run(run).data().schema.names + open_run(run).rejects().schema.names
    assert [name for name in columns if "planted" in name] == []
    assert "planted" not in (run / "manifest.jsonl").read_text()


def test_run_tells_its_limits_and_what_it_finds(run):
    report = open_run(run).report
    calibration = report.calibration
    assert list(calibration.models) == ["small", "large"]
    assert set(calibration.found) == set(KINDS)
    assert all(0 <= rate.low <= rate.found <= rate.high <= 1 for rate in calibration.found.values())
    assert report.gates.by == "evidence"
    assert report.gates.limits["evidence"].accept <= report.gates.limits["evidence"].reject
    assert (report.kept + report.dropped, report.quarantined) == (UTTERANCES - 1, 1)
    page = (run / "report.html").read_text()
    assert all(words in page for words in ("Evidence", "one word replaced", "Highest doubt kept", "filter.lose"))


def test_rows_are_kept_as_their_doubt_and_the_limit_of_the_deciding_model_say(run):
    calibration = open_run(run).report.calibration
    for row in published_rows(run):
        if row["model"] is None:
            assert row["decision"] == "quarantine"
        elif row[f"{row['model']}_doubt"] is not None:
            supported = row[f"{row['model']}_doubt"] <= calibration.limits[row["model"]]
            assert ("DOUBTFUL" in (row["reasons"] or [])) == (not supported)


def test_run_lists_the_doubtful_words_of_every_reference_with_evidence(run, tmp_path):
    listed = doubtful_words_in(run)
    assert [row for row in listed if (row["gap"] is None) != (row["doubtful_words"] is None)] == []
    assert all(row["doubtful_words"] for row in listed if row["gap"])
    run_refilter(Refilter(run=str(run), output=str(tmp_path / "again"), filter=Filter(lose=0.3)), InProcess())
    assert doubtful_words_in(tmp_path / "again") == listed


def doubtful_words_in(run: Path) -> list[dict]:
    """Return the gap and the doubtful words that each model has for each row."""
    rows = sorted(published_rows(run), key=lambda row: row["id"])
    columns = ("gap", "doubtful_words")
    return [{name: row[f"{role}_{name}"] for name in columns} for row in rows for role in ("small", "large")]


def test_same_corpus_gives_the_same_bytes_in_another_run_and_when_resumed(run, corpus, tmp_path):
    again = tmp_path / "again"
    run_curation(demo_settings(corpus, again), InProcess())
    assert outputs_of(again) == outputs_of(run)
    shutil.rmtree(again / "data")
    (again / SUCCESS).unlink()
    for file in (again / "filter").glob("*"):
        file.unlink()
    run_curation(demo_settings(corpus, again), InProcess())
    assert outputs_of(again) == outputs_of(run)
    assert all(check.holds for check in verify_run(again))


def outputs_of(run: Path) -> dict[str, bytes]:
    """Return the bytes of all rows that a run publishes, and its calibration."""
    files = [file for part in ("data", "rejects") for file in sorted((run / part).glob("*"))]
    contents = {str(file.relative_to(run)): file.read_bytes() for file in [*files, run / "manifest.jsonl"]}
    return contents | {"calibration": json.dumps(json.loads((run / "report.json").read_text())["calibration"]).encode()}


def test_refilter_finds_the_limits_of_another_share_to_lose(run, tmp_path):
    before = open_run(run).report.calibration
    bold = run_refilter(Refilter(run=str(run), output=str(tmp_path / "bold"), filter=Filter(lose=0.3)), InProcess())
    assert bold.calibration.lose == 0.3
    assert bold.calibration.limits["small"] <= before.limits["small"]
    same = run_refilter(Refilter(run=str(run), output=str(tmp_path / "same"), filter=Filter()), InProcess())
    assert same.calibration == before
    given = run_refilter(
        Refilter(run=str(run), output=str(tmp_path / "given"), filter=Filter(max_doubt=2)), InProcess()
    )
    assert set(given.calibration.limits.values()) == {2.0}
    assert given.calibration.found


def test_run_that_was_refiltered_by_wer_can_go_back_to_doubt(run, tmp_path):
    guide, back = tmp_path / "guide", tmp_path / "back"
    by_wer = run_refilter(Refilter(run=str(run), output=str(guide), filter=Filter(preset="curator-good")), InProcess())
    assert by_wer.calibration is None
    returned = run_refilter(Refilter(run=str(guide), output=str(back), filter=Filter()), InProcess())
    assert returned.calibration == open_run(run).report.calibration
    assert (back / "manifest.jsonl").read_bytes() == (run / "manifest.jsonl").read_bytes()


def test_relabelled_run_has_the_limits_of_the_run_before_it(run, tmp_path):
    report = run_relabel(Relabel(run=str(run), output=str(tmp_path / "new")), InProcess())
    assert report.calibration == open_run(run).report.calibration
    assert report.kept >= open_run(run).report.kept


def test_comparison_with_the_rules_of_the_run_keeps_the_same(run, capsys):
    compare(str(run), Filter())
    shown = {line.split("  ")[0]: line.split() for line in capsys.readouterr().out.splitlines() if "kept" in line}
    assert shown["kept by the run"][4] == shown["kept by these rules"][4] == str(open_run(run).report.kept)
    assert shown["newly kept"][2] == shown["no longer kept"][3] == "0"


SENTENCES = [f"{first} {second} and {third}" for first in ("one", "two", "six") for second in ("red", "blue", "green")
             for third in ("cats", "dogs", "birds", "fish")]  # fmt: skip
HEARD = {f"{number}.wav": text for number, text in enumerate(SENTENCES)}


class Scoring(PrecomputedHypotheses):
    """A file of transcripts that doubts a text by its distance from the transcript; the small model doubts less."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.nats = 3.6 if Path(checkpoint.name).stem == "small" else 20.0

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        requests = [request for batch in batches for request, _ in batch]
        read = [(request.texts, self.hypothesis_for(request).text) for request in requests]
        return [
            Hypothesis(text, evidence=tuple(doubted(other, text, self.nats) for other in texts)) for texts, text in read
        ]


def doubted(text: str, read: str, nats: float) -> TextEvidence:
    """Return the evidence for a text: so many nats for each wrong word; none if it cannot be written."""
    if "ß" in text:
        return TextEvidence(len(text.split()), reason="NOT_WRITABLE")
    gap = nats * math.ceil(word_error_rate(text, read) * 4)
    return TextEvidence(len(text.split()), gap, gap)


@pytest.fixture
def settings(manifest, hears, tmp_path, monkeypatch):
    """Make settings of a run over SENTENCES, some of which have other words in the manifest or are misread.

    The first one is in a language of its own.
    """
    monkeypatch.setattr(TranscriptEngine, "load", lambda self, checkpoint, options: Scoring(checkpoint))
    monkeypatch.setattr(TranscriptEngine, "scores_texts", True)

    def make(texts: dict[str, str], misread: dict[str, str], **parameters) -> Curation:
        rows = [{"audio_filepath": name, "text": text} for name, text in (HEARD | texts).items()]
        rows = [row | ({"lang": "hy"} if row["audio_filepath"] == "0.wav" else {}) for row in rows]
        models = hears(small=HEARD | misread, large=HEARD | {"a.wav": "large"}, large2=HEARD | {"b.wav": "large2"})
        chosen = {role: models[role] for role in ("small", "large")}
        output = str(tmp_path / "out")
        return Curation(manifest=manifest(*rows), output=output, **chosen | parameters)

    return make


def test_larger_model_rescues_what_was_misread_and_not_what_is_wrong(settings, tmp_path):
    wrong = {"3.wav": "one red and snakes", "4.wav": "nothing of this was said"}
    report = run_curation(settings(wrong, {"5.wav": "one glue and dogs"}, gate=Gate(escalate=0.5)), InProcess())
    rows = {Path(row["audio_filepath"]).name: row for row in published_rows(tmp_path / "out")}
    assert rows["5.wav"]["decision"] == "keep"
    assert [rows[name]["decision"] for name in wrong] == ["drop", "drop"]
    assert report.calibration.found["substitution"].found > 0.9


def test_run_that_is_tried_again_finds_the_limits_that_it_would_have_found(settings, tmp_path):
    wrong, misread = {"3.wav": "one red and snakes"}, {"5.wav": "one glue and dogs"}
    whole = settings(wrong, misread, gate=Gate(escalate=0.5), max_quarantined=1.0)
    late = whole.model_copy(update={"output": str(tmp_path / "late")})
    run_curation(whole, InProcess())
    for name in ("5.wav", "9.wav"):
        (tmp_path / name).rename(tmp_path / f"_{name}")
    run_curation(late, InProcess())
    for name in ("5.wav", "9.wav"):
        (tmp_path / f"_{name}").rename(tmp_path / name)
    assert retry_later(tmp_path / "late", ["AUDIO_MISSING"]) == 2
    run_curation(late, InProcess())
    assert published_rows(tmp_path / "late") == published_rows(tmp_path / "out")


def test_references_that_no_model_can_write_are_judged_by_wer(settings, tmp_path):
    texts = {"3.wav": "one red and fiß", "4.wav": "ß ß ß ß"}
    run_curation(settings(texts, {}, large=None), InProcess())
    rows = {Path(row["audio_filepath"]).name: row for row in published_rows(tmp_path / "out")}
    assert (rows["3.wav"]["decision"], rows["3.wav"]["wer"], rows["3.wav"]["small_doubt"]) == ("keep", 0.25, None)
    assert (rows["4.wav"]["decision"], rows["4.wav"]["reasons"]) == ("drop", ["WER_ABOVE_MAX"])


def test_rule_of_the_gate_has_the_larger_model_read_what_would_be_accepted(settings, tmp_path):
    gate = Gate(rules=('pred_text != "two red and cats"',), audit=0)
    run_curation(settings({}, {}, gate=gate), InProcess())
    rows = published_rows(tmp_path / "out")
    escalated = [row["small_pred_text"] for row in rows if row["band"] == "escalate"]
    assert escalated == ["two red and cats"]
    assert all(row["decision"] == "keep" for row in rows)


def test_small_model_decides_by_its_own_limit_in_languages_without_a_larger_one(settings, tmp_path):
    chosen = settings({"0.wav": "one red and snakes"}, {})
    chosen = chosen.model_copy(update={"languages": {"hy": Route(small=chosen.small)}})
    report = run_curation(chosen, InProcess())
    rows = {Path(row["audio_filepath"]).name: row for row in published_rows(tmp_path / "out")}
    assert (rows["0.wav"]["band"], rows["0.wav"]["model"], rows["0.wav"]["reason"]) == (None, "small", "DOUBTFUL")
    assert report.kept == len(HEARD) - 1


def test_every_utterance_is_read_and_judged_by_the_larger_model_where_asked(settings, tmp_path):
    report = run_curation(settings({"3.wav": "one red and snakes"}, {}, gate=Gate(preset="everything")), InProcess())
    rows = published_rows(tmp_path / "out")
    assert {row["model"] for row in rows} == {"large"}
    assert [row["reason"] for row in rows if row["decision"] == "drop"] == ["DOUBTFUL"]
    assert report.calibration.found["other"].found > 0.9


def test_second_larger_model_reads_what_the_first_one_doubts(settings, tmp_path):
    second = str(tmp_path / "large2.jsonl")
    chosen = settings({}, {"1.wav": "one red and cogs"}, gate=Gate(escalate=0.5), extra_models=[second])
    (tmp_path / "large.jsonl").write_text((tmp_path / "small.jsonl").read_text() + "\n")
    report = run_curation(chosen, InProcess())
    rows = {Path(row["audio_filepath"]).name: row for row in published_rows(tmp_path / "out")}
    row = rows["1.wav"]
    assert (row["band"], row["large_band"], row["model"], row["decision"]) == ("escalate", "escalate", "large2", "keep")
    assert list(report.calibration.models) == ["small", "large", "large2"]
    assert report.kept == len(HEARD)


def test_sweep_shows_what_limits_find_and_lose(run, capsys):
    sweep(str(run), None)
    written = json.loads((run / "sweep.json").read_text())
    assert written["rules"][0]["rule"] == "DOUBTFUL: supported != false"
    small = written["evidence"]["small"]
    assert set(small) == {"doubt", "wer"}
    for points in small.values():
        assert [point["lost"] for point in points] == sorted((point["lost"] for point in points), reverse=True)
        assert set(points[0]["found"]) == set(KINDS)
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("small: doubt", "small: wer", "lost", "replaced"))
