"""Whisper models: whose names they are, that nothing else than what was digested is run, and what they read."""

import json
from pathlib import Path

import numpy as np
import pytest

from demo.real_models import tiny_model
from tests.conftest import DEMO, published_rows
from tests.in_process import curate
from winnow.audio.decode import load_clip
from winnow.engines.engine import Request
from winnow.engines.whisper.engine import WhisperEngine
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions

SPEECH = sorted((DEMO / "corpus" / "audio").glob("*.flac"))[:3]
ENGINE = WhisperEngine()


@pytest.fixture(scope="session")
def tiny() -> str:
    """Whisper tiny for English."""
    return tiny_model() or pytest.skip("needs `make real-models`")


@pytest.fixture(scope="module")
def model(tiny):
    return ENGINE.load(ENGINE.resolve(tiny), EngineOptions(timestamps=True, doubtful_words=True))


@pytest.fixture(scope="module")
def both(model):
    """What is read of the first two recordings in one batch."""
    return read(model, *map(request, SPEECH[:2]))


def clip_of(path: Path):
    return load_clip(str(path), None, None, 16_000, 60)


def read(model, *requests: Request) -> list:
    return model.transcribe([[(request, clip_of(Path(request.path))) for request in requests]])


def request(path: Path, *texts: str, **options) -> Request:
    return Request(str(path), None, None, texts=texts, text_language="en", **options)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with the files of a model, none of which can be loaded."""
    (tmp_path / "small").mkdir()
    for name in ("model.bin", "tokenizer.json"):
        (tmp_path / "small" / name).write_bytes(name.encode())
    (tmp_path / "small" / "config.json").write_text(json.dumps({"suppress_ids_begin": [220, 50257]}))
    return tmp_path / "small"


@pytest.fixture
def installed(monkeypatch):
    """Faster-whisper, as far as names and files are checked."""
    monkeypatch.setattr("winnow.engines.whisper.engine.find_spec", lambda name: object())


REFUSED = {
    "no folder": ("whisper:/none", "no such folder"),
    "no model": ("whisper:{folder}/..", "config.json, model.bin, tokenizer.json is missing: convert one with ct2"),
    "no name": ("whisper:enormous", "neither a folder nor a size"),
    "a broken configuration": ("whisper:{folder}", "config.json is not that of a Whisper model"),
}


@pytest.mark.parametrize(("name", "complaint"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_model_is_refused_in_words(folder, installed, name, complaint):
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match=complaint):
        ENGINE.resolve(name.format(folder=folder))


def test_options_that_whisper_cannot_follow_are_refused(folder, installed):
    checkpoint = ENGINE.resolve(f"whisper:{folder}")
    assert ENGINE.refuses(checkpoint, EngineOptions(language="de", timestamps=True)) == {}
    assert set(ENGINE.refuses(checkpoint, EngineOptions(decoder="ctc", punctuation=True))) == {"decoder", "punctuation"}
    english = checkpoint.model_copy(update={"family": "whisper-en"})
    assert set(ENGINE.refuses(english, EngineOptions(language="de"))) == {"language"}


def test_texts_are_those_of_faster_whisper(model, both):
    expected = []
    for path in SPEECH[:2]:
        segments, _ = model.whisper.transcribe(
            clip_of(path).samples, language="en", beam_size=1, temperature=0.0, without_timestamps=True
        )
        expected.append(" ".join(" ".join(segment.text for segment in segments).split()))
    assert [hypothesis.text for hypothesis in both] == expected
    for hypothesis, path in zip(both, SPEECH, strict=False):
        assert 0 < hypothesis.confidence <= 1
        assert len(hypothesis.words) == len(hypothesis.word_confidence) == len(hypothesis.text.split())
        times = [time for word in hypothesis.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert 0.7 * clip_of(path).seconds < times[-1] <= clip_of(path).seconds + 0.1
        assert 0 <= hypothesis.no_speech <= 1


def test_evidence_is_against_changed_words_and_for_what_was_read(model, both):
    plain = both[0]
    words = plain.text.split()
    texts = [
        plain.text,
        plain.text.lower().strip("."),
        " ".join([*words[:2], "banana", *words[3:]]),
        " ".join(words[:-3]),
        f"{plain.text} and then some",
        "word " * 300,
    ]
    (hypothesis,) = read(model, request(SPEECH[0], *texts))
    same, lower, changed, cut, longer, endless = hypothesis.evidence
    assert (same.gap, lower.gap) == (0.0, 0.0)
    assert min(changed.gap, cut.gap, longer.gap) > 5
    assert endless.reason == "TOO_LONG_FOR_AUDIO"
    assert hypothesis.log_likelihood < 0


def test_likelihood_of_a_reading_is_the_sum_of_its_steps(model):
    """The steps of the search, whose distributions CTranslate2 returns, against the reading as a forced prefix."""
    encoded = model.whisper.encode(np.stack([model.features(clip_of(SPEECH[0]).samples)[0]]))
    prompt = model.prompt("en")
    (result,) = model.model.generate(
        encoded, [prompt], beam_size=1, return_scores=True, suppress_tokens=[], suppress_blank=False
    )
    from winnow.engines.whisper.model import Encodings

    ids = result.sequences_ids[0]
    (value,) = Encodings(model, encoded, [prompt]).log_likelihoods([(0, ids)])
    assert value == pytest.approx(result.scores[0] * len(ids), abs=0.05)


def test_speech_of_more_than_a_window_is_read_to_its_end(model, both, tmp_path):
    import soundfile

    parts = [clip_of(path).samples for path in SPEECH] * 3
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts)[: 16_000 * 45], 16_000)
    (hypothesis,) = read(model, request(tmp_path / "long.wav", "something"))
    assert len(hypothesis.text.split()) > 3 * len(both[0].text.split())
    assert hypothesis.words[-1].end > 35
    assert hypothesis.evidence[0].reason == "NOT_SUPPORTED"


def test_a_run_has_columns_of_whisper(tiny, tmp_path):
    rows = [{"audio_filepath": str(path), "text": "something else entirely"} for path in SPEECH[:1]]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = curate(manifest=tmp_path / "corpus.jsonl", output=tmp_path / "run", small=tiny, filter={"max_wer": 0.5})
    assert (report.lines, report.dropped) == (1, 1)
    (row,) = published_rows(tmp_path / "run")
    assert row["small_pred_text"]
    assert 0 <= row["small_no_speech"] <= 1
    assert row["small_gap"] > 2
