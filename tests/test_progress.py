"""Progress of a run: within a shard, of each pass, and never without words."""

from pathlib import Path

import pyarrow as pa
import pytest

from flows import progress
from flows.progress import PassProgress, Progress
from tests.in_process import curate
from winnow.engines import call_progress
from winnow.runs import ledger
from winnow.runs.shard_files import store_table
from winnow.schema import ShardedManifest

SHARDS = ShardedManifest(shards=[Path("00000.jsonl"), Path("00001.jsonl")], seconds=[3600.0, 1800.0], lines=2, blank=0)


def transcribed(folder: Path, number: int, *seconds: float) -> Path:
    """Write a shard whose utterances have these durations; one more was not transcribed."""
    rows = pa.table({"duration": [*seconds, 99.0], "reason": pa.array([None] * len(seconds) + ["TOO_LONG"])})
    return store_table(folder / "transcribe-small", f"{number:05}", rows)


@pytest.fixture
def shown():
    """What the terminal is told: of each pass its share and words."""
    told = []

    def listener(name, share, words):
        told.append((name, round(share, 3), words.partition(",")[0]))

    progress.listeners.append(listener)
    yield told
    progress.listeners.remove(listener)


def test_calls_of_a_model_count_until_their_shard_is_done(shown, tmp_path):
    artifact = []
    with Progress(SHARDS, lambda key, words: lambda *state: artifact.append(state), ("small",)) as run:
        with call_progress.working_on("small", ["00000"]):
            call_progress.tell_listeners(1800.0)
            call_progress.tell_listeners(1700.0)  # durations that the manifest has wrong do not count twice
        run.transcribed("small", transcribed(tmp_path, 0, 3600.0))
        with call_progress.working_on("small", ["00001"]):
            call_progress.tell_listeners(2000.0)
        run.transcribed("small", transcribed(tmp_path, 1, 1800.0))
        run.heard(("small", ("00001",)), 2000.0)  # what a worker told arrives late
    assert shown == [
        ("small", 0.0, "0.00 of 1.50 h of audio"),
        ("small", 0.0, "0.00 of 1.50 h of audio"),
        ("small", 0.333, "0.50 of 1.50 h of audio"),
        ("small", 0.648, "0.97 of 1.50 h of audio"),
        ("small", 0.667, "1.00 of 1.50 h of audio"),
        ("small", 0.667, "1.00 of 1.50 h of audio"),
        ("small", 1.0, "1.50 of 1.50 h of audio"),
        ("small", 1.0, "1.50 of 1.50 h of audio"),
    ]
    assert [round(share, 3) for share, _ in artifact] == [0.667, 1.0]
    call_progress.tell_listeners(9.0)
    assert call_progress.listeners == []


def test_durations_that_are_not_stated_are_expected_to_be_as_those_that_were_transcribed(tmp_path):
    assumed = ShardedManifest(shards=SHARDS.shards, seconds=[3600.0, 7200.0], lines=2, blank=0)
    with Progress(assumed, lambda key, words: lambda *state: None, ("small",)) as run:
        run.transcribed("small", transcribed(tmp_path, 0, 300.0, 600.0))
        assert run.passes["small"].description.partition(",")[0] == "0.25 of 0.75 h of audio"
        run.transcribed("small", transcribed(tmp_path, 1, 4500.0))
    assert (run.share, run.passes["small"].total) == (1.0, 5400.0)


def test_total_is_as_stated_until_an_utterance_is_transcribed_or_there_is_none(tmp_path):
    with Progress(SHARDS, lambda key, words: lambda *state: None, ("small",)) as run:
        run.transcribed("small", transcribed(tmp_path, 0))
        assert run.passes["small"].description == "0.00 of 1.50 h of audio, no result yet"
        run.transcribed("small", transcribed(tmp_path, 1))
    small = run.passes["small"]
    assert (run.share, small.share, small.description) == (1.0, 1.0, "nothing to transcribe")


def test_a_second_attempt_at_a_shard_counts_from_the_beginning():
    with Progress(SHARDS, lambda key, words: lambda *state: None, ("small",)) as run:
        for seconds in (1800.0, 900.0):
            with call_progress.working_on("small", ["00000"]):
                call_progress.tell_listeners(seconds)
    assert run.passes["small"].transcribed == 900.0


def test_what_an_earlier_attempt_transcribed_is_done_but_says_nothing_about_the_pace(tmp_path):
    shards = [tmp_path / "load" / "00" / f"0000{number}.parquet" for number in range(2)]
    done = [transcribed(tmp_path, number, shard) for number, shard in enumerate((3600.0, 1800.0))]
    ledger.commit(tmp_path, "0" * 32, [done[0]], stage="transcribe-small")
    both = ShardedManifest(shards=shards, seconds=[3600.0, 1800.0], lines=2, blank=0)
    with Progress(both, lambda key, words: lambda *state: None, ("small",)) as run:
        run.transcribed("small", done[0])
        assert run.passes["small"].description == "1.00 of 1.50 h of audio"
        run.transcribed("small", done[1])
    assert (run.passes["small"].reused, run.passes["small"].new) == (3600.0, 1800.0)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"total": 0.0}, "nothing to transcribe yet"),
        ({"total": 0.0, "stated": 60.0, "stated_done": 60.0}, "nothing to transcribe"),
        ({"total": 3600.0}, "0.00 of 1.00 h of audio, no result yet"),
        ({"total": 7200.0, "done": 3600.0}, "1.00 of 2.00 h of audio, RTFx 360, 0:10 left"),
        ({"total": 7200.0, "done": 3600.0, "reused": 1800.0}, "1.00 of 2.00 h of audio, RTFx 180, 0:20 left"),
        ({"total": 3600.0, "done": 3600.0, "reused": 3600.0}, "1.00 of 1.00 h of audio"),
        ({"total": 3600.0, "done": 3600.0, "latest_result": 105.0}, "1.00 of 1.00 h of audio, RTFx 720, 0:00 left"),
    ],
)
def test_every_state_of_a_pass_has_words(monkeypatch, state, words):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 110.0)
    assert PassProgress(**state, began=100.0).description == words


def test_a_pass_with_nothing_to_transcribe_yet_is_not_complete():
    assert PassProgress().share == 0.0


def test_each_pass_of_a_run_has_progress_of_its_own(manifest, hears, tmp_path, shown):
    rows = [{"audio_filepath": f"{name}.wav", "duration": 1.0, "text": "good morning"} for name in "ab"]
    models = hears(small={"a.wav": "good morning", "b.wav": "good evening"}, large={"b.wav": "good morning"})
    curate(manifest=manifest(*rows), output=tmp_path / "out", **models)
    assert [name for name, share, _ in shown if share == 1.0][-2:] == ["small", "large"]
    assert {words for _, _, words in shown} >= {"0.00 of 0.00 h of audio"}
    assert call_progress.listeners == []
