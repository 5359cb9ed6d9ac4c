"""Several texts for the same audio: all are judged, and only the best is kept."""

import json

import pyarrow as pa

from tasks.deduplicate import deduplicate
from tests.conftest import published_rows, shard_table
from tests.in_process import curate
from winnow.rules.same_audio import choose_best, quarantine_others
from winnow.runs import ledger
from winnow.runs.shard_files import store_table
from winnow.runs.verify import verify_run
from winnow.schema import FILTERED

KEEP, DROP, QUARANTINE = "keep", "drop", "quarantine"


def judged(*rows: tuple) -> pa.Table:
    """Return judged rows, given id, audio, decision and WER."""
    names = ("id", "same_audio", "decision", "wer")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return shard_table(FILTERED, **columns)


CASES = {
    "lower WER": ([(1, 1, KEEP, 0.2), (2, 1, KEEP, 0.1), (3, 1, KEEP, 0.3)], 2),
    "a later line if the WER is the same": ([(1, 1, KEEP, 0.1), (2, 1, KEEP, 0.1)], 2),
    "kept before dropped": ([(1, 1, KEEP, 0.2), (2, 1, DROP, 0.1)], 1),
    "a reference before none": ([(1, 1, KEEP, 0.2), (2, 1, KEEP, None)], 1),
    "the best of the dropped": ([(1, 1, DROP, 0.6), (2, 1, DROP, 0.7)], 1),
    "what was judged": ([(1, 1, QUARANTINE, None), (2, 1, DROP, 0.7)], 2),
}


def test_best_text_of_an_audio_is_chosen_by_the_decision_then_the_wer_then_the_line():
    for name, (rows, best) in CASES.items():
        assert choose_best([judged(*rows)])["id"].to_pylist() == [best], name


def test_text_that_a_person_decided_is_better_than_one_that_fits_better():
    rows = judged((1, 1, KEEP, 0.2), (2, 1, KEEP, 0.1))
    assert choose_best([rows.append_column("review", [["keep", None]])])["id"].to_pylist() == [1]


def test_best_text_is_chosen_across_shards_in_any_order():
    shards = [
        judged((1, 1, KEEP, 0.2), (2, 2, KEEP, 0.0)),
        judged((3, 1, KEEP, 0.1), (4, None, KEEP, 0.5), (5, 2, DROP, 0.9)),
    ]
    for order in (shards, shards[::-1]):
        assert choose_best(order).to_pydict() == {"same_audio": [1, 2], "id": [3, 2]}


def test_other_texts_are_quarantined_and_name_the_kept_line():
    rows = judged(
        (1, 1, KEEP, 0.2), (2, None, KEEP, 0.0), (3, 1, DROP, 0.4), (4, 1, QUARANTINE, None), (7, 1, KEEP, 0.1)
    )
    rows = quarantine_others(rows, choose_best([rows]))
    assert rows.select(["id", "decision", "reason", "detail"]).to_pylist() == [
        {
            "id": 1,
            "decision": QUARANTINE,
            "reason": "DUPLICATE_UTT",
            "detail": "same audio as line 7, which fits better",
        },
        {"id": 2, "decision": KEEP, "reason": None, "detail": None},
        {
            "id": 3,
            "decision": QUARANTINE,
            "reason": "DUPLICATE_UTT",
            "detail": "same audio as line 7, which fits better",
        },
        {"id": 4, "decision": QUARANTINE, "reason": None, "detail": None},
        {"id": 7, "decision": KEEP, "reason": None, "detail": None},
    ]


def test_only_shards_with_several_texts_are_written_again_and_only_once(tmp_path):
    tables = [judged((1, 1, KEEP, 0.2)), judged((2, None, KEEP, 0.0)), judged((3, 1, KEEP, 0.1))]
    files = [store_table(tmp_path / ledger.STAGES / "filter", f"{n:05}", table) for n, table in enumerate(tables)]
    results = deduplicate(files)
    assert [file.parent.name for file in results] == ["deduplicate", "filter", "deduplicate"]
    times = [file.stat().st_mtime_ns for file in results]
    assert deduplicate(files) == results
    assert [file.stat().st_mtime_ns for file in results] == times


def test_corpus_in_which_no_audio_occurs_twice_stays_as_it_is(tmp_path):
    files = [store_table(tmp_path / ledger.STAGES / "filter", "00000", judged((1, None, KEEP, 0.2)))]
    assert deduplicate(files) == files


def test_each_speaker_of_a_call_is_kept_with_the_own_channel(manifest, write_tone, hears, tmp_path):
    write_tone("call.wav", channels=2)
    lines = [
        {"audio_filepath": "call.wav", "channel": 0, "text": "hello", "pred_text": "hello"},
        {"audio_filepath": "call.wav", "channel": "B", "text": "good evening", "pred_text": "good evening"},
        {"audio_filepath": "call.wav", "channel": 2, "text": "who", "pred_text": "who"},
        {"audio_filepath": "call.wav", "channel_selector": 0, "text": "hello", "pred_text": "hello"},
    ]
    (tmp_path / "small.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = {"output": tmp_path / "run", "small": str(tmp_path / "small.jsonl"), "max_quarantined": 1}
    curate(manifest=manifest(*lines), **settings)
    rows = published_rows(tmp_path / "run")
    assert [(row["id"], row["decision"], row["reason"], row["small_pred_text"]) for row in rows] == [
        (1, KEEP, None, "hello"),
        (2, KEEP, None, "good evening"),
        (3, QUARANTINE, "BAD_CHANNEL", None),
        (4, QUARANTINE, "DUPLICATE_UTT", None),
    ]


def test_corrected_line_is_kept_and_the_wrong_one_names_it(manifest, hears, tmp_path):
    rows = [
        {"audio_filepath": "a.wav", "text": "good mourning"},
        {"audio_filepath": "b.wav", "text": "hello"},
        {"audio_filepath": "a.wav", "text": "good morning"},
        {"audio_filepath": "a.wav", "text": "good morning"},
        {"audio_filepath": "./b.wav", "text": "Hello!"},
        {"audio_filepath": "c.wav", "text": "one", "snr": float("nan")},
        {"audio_filepath": ["c.wav"], "text": 7, "offset": 0.5},
    ]
    models = hears(small={"a.wav": "good morning", "b.wav": "hello", "c.wav": "one"})
    report = curate(
        manifest=manifest(*rows), output=tmp_path / "run", shard_hours=15 / 3600, max_quarantined=1, **models
    )
    assert [(row["id"], row["decision"], row["reason"], row["detail"]) for row in published_rows(tmp_path / "run")] == [
        (1, QUARANTINE, "DUPLICATE_UTT", "same audio as line 3, which fits better"),
        (2, QUARANTINE, "DUPLICATE_UTT", "same audio as line 5, which fits better"),
        (3, KEEP, None, None),
        (4, QUARANTINE, "DUPLICATE_UTT", "as line 3"),
        (5, KEEP, None, None),
        (6, KEEP, None, None),
        (
            7,
            QUARANTINE,
            "TRANSCRIPT_MISSING",
            f"{tmp_path / 'small.jsonl'}: no transcript of {tmp_path / 'c.wav'} at 0.5 s",
        ),
    ]
    assert report.reasons["DUPLICATE_UTT"].utterances == 3
    assert {name: (count.utterances, count.first_line) for name, count in report.mended.items()} == {
        "LIST_OF_ONE": (1, 7),
        "NAN_AS_NULL": (1, 6),
        "TEXT_AS_NUMBER": (1, 7),
    }
    assert "Mended rows" in (tmp_path / "run" / "report.html").read_text()
    assert [check.sentence for check in verify_run(tmp_path / "run") if not check.holds] == []
