"""Diff: what two runs decide otherwise and why, whatever the order of their rows."""

import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pytest

from cli import diff as command
from cli.app import app
from tests.in_process import curate, incremental
from winnow.diff.difference import Difference, compare_runs
from winnow.diff.limits import parse_limit, violations
from winnow.diff.matching import match_rows
from winnow.diff.render import render_difference
from winnow.diff.rows import RunRows, places_of
from winnow.diff.shifts import EVERYTHING, find_shifts
from winnow.errors import DifferenceTooLarge, OptionError, OutputError
from winnow.reports.render import render_page
from winnow.runs.verify import verify_run

NAMES = [f"{letter}{number:02}" for letter in "ab" for number in range(12)]
TEXTS = {f"{name}.wav": f"good morning dear {name}" for name in NAMES}
ROWS = [
    {"audio_filepath": path, "duration": 1.0, "text": text, "speaker": path[0], "take": i % 2}
    for i, (path, text) in enumerate(TEXTS.items())
]


@pytest.fixture
def run(manifest, hears, tmp_path):
    """Curate rows with a stand-in for a model, as a run of a name."""

    def curated(name, rows=ROWS, heard=TEXTS, **parameters):
        settings = {"filter": {"max_wer": 0.25}} | parameters
        curate(manifest=manifest(*rows), output=tmp_path / name, **hears(small=heard), **settings)
        return tmp_path / name

    return curated


def kinds(difference):
    return [(c.before, c.after, c.reason, c.cause, c.rows) for c in difference.changes]


def test_runs_over_the_same_rows_in_another_order_do_not_differ(run):
    difference = compare_runs(run("one"), run("two", ROWS[::-1]))
    assert (difference.matched, difference.only_before.rows, difference.only_after.rows) == (24, 0, 0)
    assert difference.changes == []
    assert all(shift.before == shift.after and shift.low == shift.high == 0 for shift in difference.shifts)


def test_changed_decisions_have_the_cause_that_they_have(run):
    before = run("one")
    rows = [dict(row) for row in ROWS]
    rows[0]["text"] = "something else entirely"
    rows[2]["duration"] = -1.0
    heard = TEXTS | {"a03.wav": "who knows what it says", "a04.wav": "good morning a04"}
    after = run("two", rows, heard, filter={"max_wer": 0.2})
    assert sorted(kinds(compare_runs(before, after))) == [
        ("keep", "drop", "WER_ABOVE_MAX", "hypothesis", 2),
        ("keep", "drop", "WER_ABOVE_MAX", "reference", 1),
        ("keep", "quarantine", "BAD_DURATION", "input", 1),
    ]
    stricter = run("three", ROWS, TEXTS, filter={"max_wer": 0.25, "min_duration": 2.0})
    assert kinds(compare_runs(stricter, before)) == [("drop", "keep", "DURATION_BELOW_MIN", "rules", 24)]


def test_example_of_a_change_has_the_texts_and_lines_of_both_runs(run):
    after = run("two", ROWS[::-1], TEXTS | {"a00.wav": "nothing of it"})
    [change] = compare_runs(run("one"), after).changes
    [example] = change.examples
    assert example.lines == (1, 24)
    assert example.reference == ("good morning dear a00",) * 2
    assert example.hypothesis == ("good morning dear a00", "nothing of it")
    assert change.hours == pytest.approx(1 / 3600)


def test_rows_that_one_run_lacks_are_counted_with_what_it_keeps_of_them(run):
    heard = TEXTS | {"b11.wav": "nothing of it"}
    difference = compare_runs(run("one", ROWS[:20]), run("two", ROWS[4:], heard))
    assert difference.matched == 16
    assert (difference.only_before.rows, difference.only_before.kept) == (4, 4)
    assert (difference.only_after.rows, difference.only_after.kept) == (4, 3)
    assert difference.only_after.kept_hours == pytest.approx(3 / 3600)


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("/data", ["a.wav", "./a.wav", "b/../a.wav", "/data/a.wav"]),
        ("https://host/data", ["a.wav", "./a.wav", "b/../a.wav", "https://host/data/a.wav"]),
        ("s3://bucket/data", ["a b.wav", "s3://bucket/data/a b.wav"]),
    ],
)
def test_paths_and_offsets_that_are_written_otherwise_are_the_same_place(folder, names):
    offsets = [None, *[0.0] * (len(names) - 1)]
    rows = pa.table({"audio_filepath": names, "offset": offsets, "channel": pa.nulls(len(names), pa.int32())})
    assert places_of(rows, folder).to_pylist() == [f"{folder}/{names[0]}\n0\n"] * len(names)


def test_corpus_that_has_moved_is_matched_by_the_names_in_its_manifest(run, tmp_path):
    before = run("one")
    after = shutil.copytree(before, tmp_path / "copy")
    record = json.loads((after / "run.json").read_bytes())
    record["parameters"]["manifest"] = "/elsewhere/corpus.jsonl"
    (after / "run.json").write_text(json.dumps(record))
    assert compare_runs(before, after).matched == 24


def rows_of(places, decisions=None, errors=None, words=None):
    size = len(places)
    return RunRows(
        ids=np.arange(size),
        places=pa.array(places, pa.string()),
        decisions=np.zeros(size, np.int64) if decisions is None else np.asarray(decisions),
        reasons=pa.array([""] * size),
        seconds=np.ones(size),
        errors=np.zeros(size) if errors is None else errors,
        words=np.full(size, 5.0) if words is None else words,
        doubts=np.full(size, np.nan),
        slices={},
    )


@pytest.mark.parametrize(
    ("before", "after", "pairs"),
    [
        ("abc", "cab", [(0, 1), (1, 2), (2, 0)]),
        ("aba", "aab", [(0, 0), (1, 2), (2, 1)]),
        ("aaa", "a", [(0, 0)]),
        ("ab", "cd", []),
        ("", "a", []),
        ("", "", []),
    ],
)
def test_rows_of_the_same_place_are_matched_in_their_order(before, after, pairs):
    found = match_rows(rows_of(list(before)), rows_of(list(after)))
    assert list(zip(found.before.tolist(), found.after.tolist(), strict=True)) == pairs
    assert sorted([*found.before, *found.only_before]) == list(range(len(before)))
    assert sorted([*found.after, *found.only_after]) == list(range(len(after)))


@pytest.mark.parametrize("paired", [True, False])
def test_interval_of_a_change_covers_the_true_one_95_times_in_100(paired):
    """400 corpora of 200 rows whose models have 10 and 14 % of the words wrong, partly in the same rows."""
    pick, covered = np.random.default_rng(1), {"wer": 0, "kept": 0}
    for _ in range(400):
        words = pick.integers(3, 20, 200).astype(float)
        hard = pick.gamma(4, 0.25, 200) if paired else np.ones(200)
        other = hard if paired else np.ones(200)
        errors = [pick.binomial(words.astype(int), np.minimum(rate * h, 1)) for rate, h in ((0.1, hard), (0.14, other))]
        kept = [pick.random(200) < share for share in (0.8, 0.7)]
        runs = [rows_of(["x"] * 200, 1 - k, e.astype(float), words) for k, e in zip(kept, errors, strict=True)]
        pairs = (np.arange(200), np.arange(200)) if paired else None
        found = {shift.measure: shift for shift in find_shifts(*runs, pairs) if shift.slice == EVERYTHING}
        for measure, true in (("wer", 0.04), ("kept", -0.1)):
            covered[measure] += found[measure].low <= true <= found[measure].high
    assert all(0.92 <= count / 400 <= 0.98 for count in covered.values())


def test_slice_that_changed_most_comes_first(run):
    heard = TEXTS | {f"b{i:02}.wav": f"good evening dear b{i:02}" for i in range(12)}
    shifts = compare_runs(run("one"), run("two", heard=heard)).shifts
    assert [(s.slice, s.measure) for s in shifts if s.slice == EVERYTHING] == [("all", "kept"), ("all", "wer")]
    first = next(s for s in shifts if s.slice != EVERYTHING and s.measure == "wer")
    assert (first.slice, first.value, first.before, first.after) == ("speaker", "b", 0.0, pytest.approx(0.25))
    assert {s.slice for s in shifts} == {"all", "duration", "speaker", "take"}


def test_settings_and_models_that_differ_are_named(run):
    difference = compare_runs(run("one"), run("two", ROWS[:20], filter={"max_wer": 0.1}))
    assert {(change.kind, change.name) for change in difference.settings} == {
        ("parameter", "filter.max_wer"),
        ("sha256", "manifest"),
    }
    assert ("parameter", "filter.max_wer", 0.25, 0.1) in {
        (c.kind, c.name, c.before, c.after) for c in difference.settings
    }
    assert "Settings that differ: `filter.max_wer` (0.25 → 0.1)" in render_difference(difference)


def difference_of(**figures):
    """Return a difference of nothing but totals: 24 rows of which 12 are dropped and 2 h are kept, then other ones."""
    none = {"rows": 0, "hours": 0.0, "kept": 0, "kept_hours": 0.0}
    rows = {"utterances": 24, "kept": 12, "dropped": 12, "quarantined": 0}
    before = {"run": "one", **rows, "hours": 4.0, "kept_hours": 2.0, "dropped_hours": 2.0, "wer": 0.05}
    other = {"matched": 24, "only_before": none, "only_after": none, "paired": True}
    lists = {"changes": [], "shifts": [], "settings": []}
    return Difference.model_validate({"before": before, "after": before | figures} | other | lists)


@pytest.mark.parametrize(
    ("figures", "limit", "violated"),
    [
        ({"kept_hours": 1.9}, "kept_hours<-1%", True),
        ({"kept_hours": 1.9}, "kept_hours < -5%", False),
        ({"kept_hours": 1.9}, "kept_hours<=-5%", True),
        ({"kept_hours": 1.9}, "kept_hours<-0.2", False),
        ({"kept_hours": 2.1}, "kept_hours<-1%", False),
        ({"kept": 6}, "kept<-5", True),
        ({"kept": 6}, "kept<-6", False),
        ({"dropped": 25}, "dropped>+100%", True),
        ({"quarantined": 1}, "quarantined>500%", True),
        ({}, "quarantined>0%", False),
        ({"wer": 0.07}, "wer>0.01", True),
        ({"wer": None}, "wer>0.01", True),
    ],
)
def test_limit_on_a_change_is_absolute_or_in_percent(figures, limit, violated):
    assert bool(violations(difference_of(**figures), [parse_limit(limit)])) is violated


@pytest.mark.parametrize("text", ["", "kept", "kept<", "hallo<1", "kept<1%%", "kept<1e999", "kept<inf", "kept == 1"])
def test_limit_that_is_none_is_refused_with_an_example(text):
    with pytest.raises(OptionError, match=r"kept_hours<-1%.*kept_hours, dropped_hours, wer"):
        parse_limit(text)


def test_terminal_page_and_json_have_the_same_figures(run, capsys):
    before, after = run("one"), run("two", heard=TEXTS | {"a00.wav": "nothing of it"})
    app(["diff", str(before), str(after)], result_action="return_value")
    printed = capsys.readouterr().out
    written = json.loads((after / "diff.json").read_bytes())
    assert written == compare_runs(before, after).model_dump(mode="json")
    for text in (printed, (after / "diff.html").read_text()):
        assert "1 of them are decided otherwise" in re.sub(r"\s+", " ", text)
        assert "WER_ABOVE_MAX" in text
    assert all(check.holds for check in verify_run(after))


def test_limit_that_is_violated_ends_the_command_with_its_code_once_all_is_written(run):
    before, after = run("one"), run("two", heard=dict.fromkeys(TEXTS, "nothing of it"))
    with pytest.raises(DifferenceTooLarge, match=r"kept went from 24 to 0 \(-100%\): kept<-1%") as raised:
        command.diff(str(before), str(after), ["kept<-1%"], None)
    assert raised.value.exit_code == 12
    assert (after / "diff.html").exists()


def test_folder_without_a_finished_run_is_refused(run, tmp_path):
    with pytest.raises(OutputError, match="not a run's folder"):
        compare_runs(run("one"), tmp_path / "nothing")


def test_texts_of_models_are_shown_literally(run):
    hostile = "<script>alert(1)</script> [x](https://example.org) \u202e"
    text = render_difference(compare_runs(run("one"), run("two", heard=TEXTS | {"a00.wav": hostile})))
    page = render_page(text, "difference")
    assert "alert(1)" in page
    assert not any(part in page for part in ("<script", "<a ", "\u202e"))


def test_increment_is_compared_with_the_one_before(manifest, hears, tmp_path):
    settings = {"output": tmp_path / "out", "filter": {"max_wer": 0.25}}
    incremental(manifest=manifest(*ROWS[:12]), **hears(small=TEXTS), **settings)
    assert not (tmp_path / "out" / "0001" / "diff.json").exists()
    heard = TEXTS | {f"b{i:02}.wav": "nothing of it" for i in range(6)}
    incremental(manifest=manifest(*ROWS), **hears(small=heard), **settings)
    written = json.loads((tmp_path / "out" / "0002" / "diff.json").read_bytes())
    assert (written["paired"], written["only_after"]["rows"]) == (False, 12)
    kept = next(shift for shift in written["shifts"] if shift["measure"] == "kept")
    assert (kept["before"], kept["after"]) == (1.0, 0.5)

    (tmp_path / "out" / "0002" / "report.json").write_text("{}")
    more = [row | {"audio_filepath": f"new-{row['audio_filepath']}"} for row in ROWS[:3]]
    heard |= {row["audio_filepath"]: row["text"] for row in more}
    third = incremental(manifest=manifest(*ROWS, *more), **hears(small=heard), **settings)
    assert [report.kept for report in third.values()] == [3]
    assert not (tmp_path / "out" / "0003" / "diff.json").exists()
