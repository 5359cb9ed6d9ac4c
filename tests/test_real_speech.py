"""Real speech in eight languages: Whisper tiny, then base, with NeMo's demo model as the third of an ensemble."""

import json
from pathlib import Path

import pytest

from demo.real import settings_for
from demo.real_models import base_model, tiny_model
from demo.real_speech import Recording, plant_errors, shared_speech
from flows.curate import run_curation
from flows.orchestrator import InProcess
from tests.conftest import DEMO, published_rows
from tests.in_process import ensemble
from winnow.audio.decode import load_clip
from winnow.engines.engine import Request
from winnow.engines.model_cache import get_model
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions

ACCEPTED_DOUBT = 2.0  # the demo corpus's limit (demo/real.py)
ACCEPTED_WER = 0.25


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> tuple[str, str]:
    """Whisper tiny for English, and base for many languages."""
    tiny, base = tiny_model(), base_model(tmp_path_factory.mktemp("base"))
    if not (tiny and base):
        pytest.skip("needs `make real-models`")
    return tiny, base


@pytest.fixture(scope="module")
def speech() -> dict[str, Recording]:
    """Recordings by the names of their files."""
    recordings = {recording.path.stem: recording for recording in shared_speech()}
    return recordings or pytest.skip("needs ../shared/real")


def corpus(folder: Path, recordings: list[Recording], wrong: dict[str, str]) -> Path:
    """Write a manifest in which some recordings, by the names of their files, have other texts."""
    rows = [
        {
            "audio_filepath": str(path),
            "lang": language,
            "text": wrong.get(path.stem, text),
            "true_text": text,
        }
        for path, text, language in recordings
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return folder / "corpus.jsonl"


LANGUAGES = ("en", "es", "de", "fr", "it", "ja", "ko", "pt")
ONE_WORD = {"en": ("apostle", "purchase"), "de": ("Leichenhalle", "Portal"), "fr": ("conservateur", "consulat")}
"""Languages whose texts have one wrong word."""


@pytest.fixture(scope="module")
def voted(models, speech, tmp_path_factory) -> list[dict]:
    """The rows of an ensemble of two engines; three texts have a wrong word, and the Portuguese one is in Italian."""
    folder = tmp_path_factory.mktemp("voted")
    recordings = [speech[f"read-{language}"] for language in LANGUAGES]
    wrong = {f"read-{tag}": speech[f"read-{tag}"].text.replace(*words) for tag, words in ONE_WORD.items()}
    wrong["read-pt"] = speech["read-it"].text
    report = ensemble(
        manifest=corpus(folder, recordings, wrong), output=folder / "run", models=[*models, str(DEMO / "small.nemo")]
    )
    assert report.lines == report.kept + report.dropped == len(LANGUAGES)
    return published_rows(folder / "run")


def test_ensemble_of_two_engines_reads_eight_languages(voted):
    rows = {row["lang"]: row for row in voted}
    assert all(row[f"model{number}_confidence"] > 0 for row in rows.values() for number in (1, 2, 3))
    assert rows["ja"]["model3_no_evidence"] == "NOT_WRITABLE"  # NeMo's vocabulary is of English
    assert {row["model3_spoken_language"] for row in rows.values()} == {None}
    assert {language: row["model2_spoken_language"] for language, row in rows.items()} == {tag: tag for tag in rows}


def test_wrong_references_are_found_by_doubt_and_not_by_wer(voted):
    """Recall and precision of each, for four wrong references of eight (docs/performance.md)."""
    wrong = {*ONE_WORD, "pt"}
    by_doubt = {row["lang"] for row in voted if row["model2_doubt"] > ACCEPTED_DOUBT}
    by_wer = {row["lang"] for row in voted if row["wer"] > ACCEPTED_WER}
    assert recall_and_precision(by_doubt, wrong) == (1.0, 1.0)
    assert recall_and_precision(by_wer, wrong) == (0.5, 0.5)


def recall_and_precision(found: set[str], wrong: set[str]) -> tuple[float, float]:
    return len(found & wrong) / len(wrong), len(found & wrong) / len(found)


def test_language_is_given_or_heard(models, speech):
    model = get_model(resolve(models[1]), EngineOptions())
    path = str(speech["read-en"].path)
    clip = load_clip(path, None, None, 16_000, 60)
    asked = [Request(path, None, None), Request(path, None, None, language="de-AT")]
    heard, given = model.transcribe([[(request, clip) for request in asked]])
    assert (heard.language, given.language) == ("en", "de")


def test_cascade_with_a_model_for_each_language_finds_what_was_planted(models, speech, tmp_path):
    """The text of the English recording is that of another one; Portuguese has a model of its own."""
    recordings = [speech["cards-001"], speech["read-pt"]]
    wrong = {"cards-001": speech["austen-0930"].text}
    settings = settings_for(recordings, corpus(tmp_path, recordings, wrong), tmp_path / "run", *models)
    run_curation(settings, InProcess())
    rows = published_rows(tmp_path / "run")
    read_by = {"en": models[0], "pt": models[1]}
    assert [(row["lang"], row["decision"], row["small_model"]) for row in rows] == [
        (language, decision, read_by[language]) for language, decision in (("en", "drop"), ("pt", "keep"))
    ]


def test_same_seed_plants_the_same_errors_and_leaves_the_truth():
    recordings = [
        Recording(Path(f"{number}.wav"), f"this is sentence number {word}", "en")
        for number, word in enumerate("one two three four five six seven eight".split())
    ]
    rows = plant_errors(recordings, 1)
    assert rows == plant_errors(recordings, 1) != plant_errors(recordings, 2)
    assert [row["true_text"] for row in rows] == [recording.text for recording in recordings]
    assert sorted(row["corruption"] or "" for row in rows) == ["", "", "", "", "swapped", "swapped", "word", "word"]
    assert all((row["text"] == row["true_text"]) == (row["corruption"] is None) for row in rows)
