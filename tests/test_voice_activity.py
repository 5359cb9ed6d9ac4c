"""Voice activity: spans follow from probabilities as Silero's own do, and blocks of any size give the same."""

from pathlib import Path

import numpy as np
import pytest

from winnow.audio.decode import load_clip
from winnow.audio.voice_activity import (
    RATE,
    WINDOW,
    Span,
    SpanOptions,
    check_installed,
    speech_probabilities,
    speech_spans,
)
from winnow.errors import OptionError

SPEECH, UNSURE, SILENCE = 0.9, 0.4, 0.1
REAL = Path(__file__).parent.parent.parent / "shared/real"


@pytest.mark.parametrize(
    ("probabilities", "spans"),
    [
        ([], []),
        ([SILENCE] * 20, []),
        ([SILENCE] * 5 + [SPEECH] * 10 + [SILENCE] * 10, [(5, 15)]),
        ([SILENCE] * 5 + [SPEECH] * 10, [(5, 15)]),
        ([SILENCE] * 5 + [SPEECH] * 5 + [SILENCE] * 10, []),
        ([SPEECH] * 10 + [SILENCE] * 3 + [SPEECH] * 10 + [SILENCE] * 9, [(0, 23)]),
        ([SPEECH] * 10 + [SILENCE] * 9 + [SPEECH] * 10 + [SILENCE] * 9, [(0, 10), (19, 29)]),
        ([SPEECH] * 10 + [UNSURE] * 9 + [SPEECH] * 10 + [SILENCE] * 9, [(0, 29)]),
    ],
    ids=["nothing", "silence", "speech", "to the end", "too short", "a short pause", "a pause", "unsure"],
)
def test_spans_follow_from_probabilities(probabilities, spans):
    found = speech_spans(np.array(probabilities, np.float32), len(probabilities) * WINDOW, SpanOptions(margin=0))
    assert found == [Span(start * WINDOW, end * WINDOW) for start, end in spans]


def test_spans_are_extended_but_do_not_overlap():
    probabilities = np.array([SPEECH] * 10 + [SILENCE] * 5 + [SPEECH] * 10 + [SILENCE] * 9, np.float32)
    near = speech_spans(probabilities, 34 * WINDOW, SpanOptions(margin=0.1))
    assert near == [Span(0, 10 * WINDOW + 1280), Span(15 * WINDOW - 1280, 25 * WINDOW + 1600)]


def test_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("winnow.audio.voice_activity.find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"requires onnxruntime: install winnow\[listen\]"):
        check_installed()


def probabilities_of(samples: np.ndarray, size: int) -> np.ndarray:
    blocks = (samples[start : start + size] for start in range(0, len(samples), size))
    return np.concatenate(list(speech_probabilities(blocks)))


def test_blocks_of_any_size_give_the_same_probabilities():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("silero_vad")
    samples = np.random.default_rng(1).normal(0, 0.1, 20 * RATE + 100).astype(np.float32)
    whole = probabilities_of(samples, len(samples))
    assert len(whole) == -(-len(samples) // WINDOW)
    for size in (1_000, 16_384, 300_000):
        assert np.array_equal(probabilities_of(samples, size), whole)


@pytest.mark.parametrize("name", ["talk-1.opus", "talk-2.opus", "two-speakers.wav"])
def test_spans_of_real_speech_are_those_of_silero(name):
    pytest.importorskip("onnxruntime")
    silero_vad = pytest.importorskip("silero_vad")
    torch = pytest.importorskip("torch")
    path = REAL / "long" / name
    if not path.exists():
        pytest.skip("needs real speech")
    samples = load_clip(str(path), None, None, RATE, 1e4).samples
    theirs = silero_vad.get_speech_timestamps(torch.tensor(samples), silero_vad.load_silero_vad(onnx=True))
    assert speech_spans(probabilities_of(samples, 50_000), len(samples)) == [
        Span(span["start"], span["end"]) for span in theirs
    ]
