"""The whole pipeline: a corpus, what the models hear, what comes out."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from demo.__main__ import outcome, pinned
from tasks.filter import filter
from tests.conftest import DEMO, ROOT, published_rows
from tests.in_process import curate
from winnow.errors import MissingColumns, RunMismatch
from winnow.parameters.filter import Filter
from winnow.rules.duplicates import count_duplicates, hash_references
from winnow.rules.presets import FILTERS
from winnow.runs.run_record import load_settings
from winnow.validation.rules import required_columns, rules_for


def test_large_model_transcribes_only_escalated_rows(manifest, hears, tmp_path):
    corpus = manifest(
        {"audio_filepath": "right.wav", "duration": 1.0, "text": "good morning to you"},
        {"audio_filepath": "doubtful.wav", "duration": 1.0, "text": "good morning to you"},
        {"audio_filepath": "wrong.wav", "duration": 1.0, "text": "good morning to you"},
        {"audio_filepath": "other.wav", "duration": 1.0, "text": "no"},
    )
    models = hears(
        small={
            "right.wav": "good morning to you",
            "doubtful.wav": "could warning",
            "wrong.wav": "see you later then",
            "other.wav": "see you later",
        },
        large={"doubtful.wav": "good morning to you", "wrong.wav": "see you later then"},
    )
    report = curate(manifest=corpus, output=tmp_path / "run", **models)
    rows = published_rows(tmp_path / "run")
    assert [[row[n] for n in ("id", "band", "model", "large_wer", "decision", "reason")] for row in rows] == [
        [1, "accept", "small", None, "keep", None],
        [2, "escalate", "large", 0.0, "keep", None],
        [3, "escalate", "large", 1.0, "drop", "WER_ABOVE_MAX"],
        [4, "reject", "small", None, "drop", "REJECTED_BY_GATE"],
    ]
    assert (report.lines, report.kept, report.dropped, report.quarantined) == (4, 2, 2, 0)
    assert (report.rescued.utterances, report.alike) == (1, 1)


def test_every_field_of_the_manifest_is_published(manifest, hears, tmp_path):
    fields = {"audio_filepath": "a.wav", "duration": 1.0, "text": "Hello!", "speaker": "anna"}
    corpus = manifest(fields | {"pred_text": "of another model", "tags": ["x"]})
    curate(manifest=corpus, output=tmp_path / "run", **hears(small={"a.wav": "hello"}))

    expected = fields | {"input_pred_text": "of another model", "tags": '["x"]'}
    (row,) = published_rows(tmp_path / "run")
    assert {name: row[name] for name in expected} == expected

    (line,) = map(json.loads, (tmp_path / "run" / "manifest.jsonl").read_text().splitlines())
    added = {"id": 1, "pred_text": "hello", "wer": 0.0, "model": "small"}
    assert line == expected | {"audio_filepath": str(tmp_path / "a.wav"), "tags": ["x"]} | added


def modification_times(run):
    """When each committed file was written; report and manifest are written anew by every run."""
    return {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file() and path.parent != run}


def test_second_run_repeats_no_work_and_other_parameters_are_refused(manifest, hears, tmp_path):
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"}, {"audio_filepath": "b.wav", "text": "goodbye"})
    settings = {"manifest": corpus, "output": tmp_path / "run", **hears(small={"a.wav": "hello", "b.wav": "hello"})}
    first = curate(**settings)
    before = modification_times(tmp_path / "run")
    assert curate(**settings) == first
    assert modification_times(tmp_path / "run") == before
    with pytest.raises(RunMismatch, match=r"filter\.max_wer"):
        curate(**settings, filter={"max_wer": 0.5})


def test_interrupted_run_resumes_to_the_same_bytes(manifest, hears, tmp_path):
    rows = [{"audio_filepath": f"{i}.wav", "duration": 1.0, "text": f"good morning {i}"} for i in range(5)]
    models = hears(
        small={f"{i}.wav": f"good morning {i % 3}" for i in range(5)},
        large={f"{i}.wav": "good night" for i in range(5)},
    )
    settings = {"manifest": manifest(*rows), "shard_hours": 2 / 3600, **models}
    curate(output=tmp_path / "whole", **settings)
    curate(output=tmp_path / "broken", **settings)
    for record in list((tmp_path / "broken" / "_ledger").glob("*.json"))[::2]:
        record.unlink()
    next((tmp_path / "broken" / "_stages" / "transcribe-large").iterdir()).unlink()
    (tmp_path / "broken" / "report.json").unlink()
    curate(output=tmp_path / "broken", **settings)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def contents(run):
    return {path.relative_to(run): path.read_bytes() for part in ("data", "rejects") for path in (run / part).iterdir()}


def test_output_used_as_input_keeps_the_fields_of_the_first_run(manifest, hears, tmp_path):
    models = hears(small={str(tmp_path / "a.wav"): "hello"})
    corpus = manifest({"audio_filepath": "a.wav", "text": "Hello!", "id": "x1"})
    curate(manifest=corpus, output=tmp_path / "one", **models)
    curate(manifest=tmp_path / "one" / "manifest.jsonl", output=tmp_path / "two", **models)
    (row,) = published_rows(tmp_path / "two")
    assert (row["id"], row["input_id"], row["input_input_id"]) == (1, 1, "x1")


def test_guide_preset_escalates_everything_that_the_small_model_does_not_reject(manifest, hears, tmp_path):
    corpus = manifest(*[{"audio_filepath": f"{name}.wav", "text": "one two three four"} for name in "abc"])
    models = hears(
        small={"a.wav": "one two three four", "b.wav": "one two three", "c.wav": "five six seven"},
        large={"a.wav": "one two", "b.wav": "one two three four"},
    )
    report = curate(manifest=corpus, output=tmp_path / "run", gate={"preset": "guide"}, **models)
    rows = published_rows(tmp_path / "run")
    assert [[row[n] for n in ("band", "model", "decision", "reason")] for row in rows] == [
        ["escalate", "large", "drop", "WER_ABOVE_MAX"],
        ["escalate", "large", "keep", None],
        ["reject", "small", "drop", "REJECTED_BY_GATE"],
    ]
    assert (report.rescued.utterances, report.lost.utterances) == (0, 1)


def test_run_that_keeps_nothing_is_published(manifest, hears, tmp_path):
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello"})
    report = curate(manifest=corpus, output=tmp_path / "run", **hears(small={"a.wav": "goodbye"}))
    assert (report.kept, report.dropped) == (0, 1)
    assert pq.read_table(tmp_path / "run" / "data").num_rows == 0
    assert (tmp_path / "run" / "manifest.jsonl").read_text() == ""


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    run = tmp_path_factory.mktemp("demo") / "run"
    settings = {"small": pinned("small"), "large": pinned("large"), "shard_hours": 0.1}
    return run, curate(manifest=DEMO / "corpus" / "manifest.jsonl", output=run, **settings)


BROKEN = {
    "missing.wav": "AUDIO_MISSING",
    "empty.wav": "AUDIO_UNREADABLE",
    "page.wav": "AUDIO_UNREADABLE",
    "cut.wav": "DURATION_MISMATCH",
    "blip.wav": "TOO_SHORT",
}


def test_every_line_of_the_demo_is_published_once(demo_run):
    run, report = demo_run
    lines = (DEMO / "corpus" / "manifest.jsonl").read_bytes().split(b"\n")[:-1]
    rows = published_rows(run)
    assert [row["id"] for row in rows] == [number for number, line in enumerate(lines, 1) if line.strip()]
    assert report.lines == len(lines)
    assert report.lines == report.blank + report.kept + report.dropped + report.quarantined
    special = {Path(row["audio_filepath"]).name: row for row in rows if row["audio_filepath"]}
    assert {name: special[name]["reason"] for name in BROKEN} == BROKEN
    assert all(special[name]["decision"] == "keep" for name in ("stereo.ogg", "mpeg.mp3", "opus.opus"))
    reasons = Counter(row["reason"] for row in rows if row["decision"] == "quarantine")
    once = ["BAD_DURATION", "BAD_OFFSET", "BAD_TEXT", "DUPLICATE_UTT", "EMPTY_REFERENCE", "NO_AUDIO_PATH"]
    assert reasons == Counter([*BROKEN.values(), *once, "UNSUPPORTED_SCHEME", "BAD_JSON", "BAD_JSON"])
    for row in rows:
        try:
            fields = json.loads(lines[row["id"] - 1])
        except ValueError:
            assert row["reason"] == "BAD_JSON"
        else:
            bad = {"BAD_DURATION": "duration"}.get(row["reason"])
            assert {name: row[name] for name in fields if name != bad and fields[name] is not None} == {
                name: value for name, value in fields.items() if name != bad and value is not None
            }


def test_every_preset_filters_the_demo_or_names_the_columns_it_lacks(demo_run, tmp_path):
    run, report = demo_run
    (tmp_path / "phrases.txt").write_text("thank you for watching\n")
    scored = sorted((run / "_stages" / "score-large").glob("*.parquet"))
    rows = pa.concat_tables(map(pq.read_table, scored))
    (duplicates,) = count_duplicates([hash_references(rows, "basic")])
    kept, lacking = {}, {}
    for name in FILTERS:
        preset = Filter(preset=name, phrases=tmp_path / "phrases.txt")
        try:
            settings = load_settings(run).model_copy(update={"filter": preset})
            rules = rules_for(settings, report.calibration, measurable=set())
        except MissingColumns as error:
            lacking[name] = [column for column in required_columns(preset.preset_rules) if column in str(error)]
            continue
        decisions = Counter(filter(rows, rules, duplicates)["decision"].to_pylist())
        assert decisions["keep"] + decisions["drop"] == report.kept + report.dropped
        kept[name] = decisions["keep"]
    assert lacking == {
        "curator-tts": ["bandwidth", "sisdr_squim", "stoi_squim"],
        "granary": ["language", "source_lang", "language_probability"],
        "granary-translation": required_columns(FILTERS["granary-translation"].rules),
        "emilia": ["language", "language_probability", "dnsmos"],
        "gigaspeech2": ["language_probability"],
    }
    assert kept["winnow"] == report.kept
    assert kept["none"] > kept["curator-moderate"] > kept["curator-excellent"] > kept["gigaspeech-clean"] > 0


def test_rule_over_the_whole_run_waits_for_all_shards(manifest, hears, tmp_path):
    texts = {"a": "one", "b": "two", "c": "One!", "d": "three", "e": "two", "f": "one"}
    corpus = manifest(*[{"audio_filepath": f"{n}.wav", "duration": 1.0, "text": text} for n, text in texts.items()])
    models = hears(small={f"{name}.wav": text for name, text in texts.items()})
    settings = {"manifest": corpus, "shard_hours": 2 / 3600, **models}
    for rule, kept in {"copies(text) <= 1": "d", "occurrence(text) <= 1": "abd"}.items():
        report = curate(output=tmp_path / kept, filter={"rules": [rule]}, **settings)
        rows = [row for row in published_rows(tmp_path / kept) if row["decision"] == "keep"]
        assert "".join(row["audio_filepath"][0] for row in rows) == kept
        assert report.kept + report.dropped == len(texts)


def test_cascade_finds_the_wrong_references_of_the_demo(demo_run):
    run, report = demo_run
    rows = [row for row in published_rows(run) if row["decision"] != "quarantine"]
    wrong = {row["id"] for row in rows if row["text"] != row["true_text"]}
    dropped = {row["id"] for row in rows if row["decision"] == "drop"}
    assert len(wrong & dropped) / len(wrong) >= 0.95
    assert len(wrong & dropped) / len(dropped) >= 0.90
    assert report.escalated_hours / report.hours < 0.5
    escalated = report.wer["escalated, large model"].mean, report.wer["escalated, small model"].mean
    assert escalated[0] < escalated[1]


def test_readme_shows_what_the_demo_prints(demo_run):
    run, report = demo_run
    shown = (ROOT / "README.md").read_text()
    assert [sentence for sentence in outcome(run, report) if sentence not in shown] == []
    counts = {
        line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.startswith("    ") and line.strip()
    }
    assert counts["kept"] == [f"{report.kept}", f"{report.kept_hours:.3f}"]
    assert counts["dropped"] == [f"{report.dropped}", f"{report.dropped_hours:.3f}"]
    assert counts["quarantined"] == [f"{report.quarantined}"]
    assert counts["total"] == [f"{report.utterances}", f"{report.hours:.3f}"]


def test_nemo_loads_the_manifest_of_kept_rows(demo_run):
    run, report = demo_run
    from nemo.collections.common.parts.preprocessing.manifest import item_iter

    items = list(item_iter(str(run / "manifest.jsonl")))
    assert len(items) == report.kept
    assert sum(item["duration"] for item in items) == pytest.approx(report.kept_hours * 3600, abs=0.01)


def test_output_files_match_the_readme(demo_run):
    run, report = demo_run
    top = json.loads((run / "report.json").read_text())
    names = ["lines", "blank", "kept", "dropped", "quarantined", "hours", "kept_hours", "escalated_hours"]
    assert {name: top[name] for name in names} == {name: getattr(report, name) for name in names}
    assert pq.read_table(run / "data").num_rows == report.kept
    assert pq.read_table(run / "rejects").num_rows == report.dropped + report.quarantined
    assert (run / "report.html").read_text().startswith("<!doctype html>")
