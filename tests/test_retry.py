"""Retry: utterances whose audio could not be read are tried again, and no other one is transcribed again."""

import pytest

from cli import run as command
from cli.console import console
from flows.curate import run_curation
from flows.ensemble import run_ensemble
from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from tests.conftest import published_rows
from tests.in_process import curate, ensemble
from winnow.errors import InputError, OutputError
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.maintenance import Refilter
from winnow.runs import ledger
from winnow.runs.records import decode_record, encode_record
from winnow.runs.retry import parse_reasons, retry_later
from winnow.runs.run_record import load_settings
from winnow.runs.verify import verify_run

NAMES = [f"{number:02}.wav" for number in range(12)]
LATE = ["03.wav", "06.wav", "07.wav"]
ROWS = [{"audio_filepath": name, "duration": 1.0, "text": f"good morning dear {name}"} for name in NAMES]
HEARD = {name: f"good morning dear {name}" for name in NAMES}
MISREAD = HEARD | {"02.wav": "good evening", "03.wav": "good evening dear", "09.wav": "nothing of it"}


@pytest.fixture
def models(hears):
    return hears(small=MISREAD, large=HEARD)


@pytest.fixture
def run(manifest, models, tmp_path, write_tone):
    """Curate in three shards with the audio of all rows, or first without some of it; return the folder."""

    def curated(name="out", missing=(), flow=curate, **parameters):
        corpus = manifest(*ROWS)
        for late in missing:
            (tmp_path / late).unlink()
        settings = {"gate": {"by": "wer", "accept": 0.1, "reject": 2.0}, "filter": {"max_wer": 0.3}, **models}
        settings = parameters or settings
        flow(manifest=corpus, output=tmp_path / name, shard_hours=4 / 3600, max_quarantined=1.0, **settings)
        for late in missing:
            write_tone(late)
        return tmp_path / name

    return curated


def again(path):
    """Run the command of a run again, as `winnow resume` does, without its server."""
    settings = load_settings(path)
    (run_ensemble if isinstance(settings, Ensemble) else run_curation)(settings, InProcess())


def outputs(path):
    """Return the bytes of everything that the run publishes."""
    files = [*sorted((path / "data").iterdir()), *sorted((path / "rejects").iterdir()), path / "manifest.jsonl"]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def transcribed(path, role):
    """Return how many utterances each record of a pass says that it transcribed itself."""
    records = ledger.read_records(path).values()
    return sorted(r["facts"].get("utterances", 0) for r in records if r["stage"] == f"transcribe-{role}")


def decisions(path):
    return [row["decision"] for row in published_rows(path)]


def test_run_that_is_tried_again_is_what_it_would_have_been(run):
    whole, late = run("whole"), run("late", LATE)
    assert decisions(late).count("quarantine") == 3
    assert retry_later(late, ["AUDIO_MISSING"]) == 3
    again(late)
    assert outputs(late) == outputs(whole)
    assert all(check.holds for check in verify_run(late))
    assert not (late / "_ledger" / "retry").exists()


def test_only_what_is_tried_again_is_transcribed(run):
    late = run("late", LATE)
    before = transcribed(late, "small"), transcribed(late, "large")
    assert before == ([2, 3, 4], [2])
    retry_later(late, ["AUDIO_MISSING"])
    again(late)
    assert (transcribed(late, "small"), transcribed(late, "large")) == ([1, 2, 4], [1])


@pytest.mark.parametrize("aside", ["none", "some", "all"])
def test_retry_that_was_killed_can_be_repeated_and_goes_on_with_any_resume(run, aside):
    """It is killed before any record is put aside, between two of them, or before anything is tried."""
    whole, late = run("whole"), run("late", LATE)
    retry_later(late, ["AUDIO_MISSING"])
    records = sorted((late / "_ledger" / "aside").iterdir())
    for record in {"none": records, "some": records[1:], "all": []}[aside]:
        record.rename(late / "_ledger" / f"{record.stem.rpartition('-')[0]}.json")
    if aside != "all":
        assert retry_later(late, ["AUDIO_MISSING"]) > 0
    again(late)
    assert outputs(late) == outputs(whole)


def test_retry_without_such_rows_changes_nothing(run):
    late = run("late", LATE)
    assert retry_later(late, ["AUDIO_IO", "AUDIO_UNREADABLE"]) == 0
    before = outputs(late)
    again(late)
    assert outputs(late) == before


@pytest.mark.parametrize("quiet", [True, False])
def test_number_of_rows_that_are_tried_again_is_printed_unless_quiet(run, capsys, monkeypatch, quiet):
    monkeypatch.setattr(console, "quiet", quiet)
    command.retry_later(str(run("late", LATE)), ["AUDIO_MISSING"])
    assert ("3 utterances are tried again" in capsys.readouterr().err) is not quiet


def test_row_that_fails_again_stays_in_quarantine(run, tmp_path):
    late = run("late", LATE)
    (tmp_path / LATE[0]).unlink()
    retry_later(late, ["AUDIO_MISSING"])
    again(late)
    rows = {row["audio_filepath"]: row["reason"] for row in published_rows(late)}
    assert [rows[name] for name in LATE] == ["AUDIO_MISSING", None, None]
    assert retry_later(late, ["AUDIO_MISSING"]) == 1


def test_ensemble_is_tried_again(run, hears):
    theirs = {"models": list(hears(model1=HEARD, model2=MISREAD).values())}
    whole, late = (run(name, missing, ensemble, **theirs) for name, missing in (("whole", []), ("late", LATE)))
    assert retry_later(late, ["AUDIO_MISSING"]) == 3
    again(late)
    assert outputs(late) == outputs(whole)


def test_run_with_other_hypotheses_is_not_mixed_with_earlier_ones(run, tmp_path):
    late = run("late", LATE)
    retry_later(late, ["AUDIO_MISSING"])
    for path in (late / "_ledger" / "retry").glob("*.json"):
        if record := decode_record(path.stem, path.read_bytes()):
            record["facts"]["settings"] = "those of another version"
            path.write_bytes(encode_record(path.stem, record))
    for record in ledger.record_files(late):
        if b"transcribe-" in record.read_bytes():
            record.unlink()
    again(late)
    assert transcribed(late, "small") == [4, 4, 4]


@pytest.mark.parametrize(
    ("texts", "reasons"),
    [
        (["AUDIO_IO"], ["AUDIO_IO"]),
        (["AUDIO_IO,AUDIO_MISSING"], ["AUDIO_IO", "AUDIO_MISSING"]),
        (["audio_io", " TOO_SHORT , AUDIO_IO"], ["AUDIO_IO", "TOO_SHORT"]),
    ],
)
def test_reasons_are_named_apart_or_separated_by_commas(texts, reasons):
    assert parse_reasons(texts) == reasons


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BAD_JSON", "--retry BAD_JSON: trying again cannot change it: expected some of AUDIO_CHANGED, AUDIO_IO"),
        ("WER_ABOVE_MAX", "--retry WER_ABOVE_MAX: no such reason: expected some of AUDIO_CHANGED"),
    ],
)
def test_reason_that_audio_cannot_change_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_reasons([text])


def test_run_that_reuses_hypotheses_is_refused_with_the_one_that_read_the_audio(run, tmp_path):
    late = run("late", LATE)
    run_refilter(Refilter(run=str(late), output=str(tmp_path / "other")), InProcess())
    with pytest.raises(OutputError, match=f"retry in {late}, then refilter that again"):
        retry_later(tmp_path / "other", ["AUDIO_MISSING"])
