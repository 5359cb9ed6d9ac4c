"""Where recordings are cut: at their pauses, within speech only where there is none, and nothing is lost."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winnow.audio.voice_activity import WINDOW
from winnow.parameters.segment import Segment
from winnow.segmenting.cuts import WINDOW_MS, CutOptions, Piece, cut

DEFAULTS = CutOptions(shortest=1000, longest=30_000, pause=500, margin=100)
TIGHT = DEFAULTS.model_copy(update={"margin": 0})


def heard(*seconds: float) -> tuple[np.ndarray, int]:
    """Return the probabilities of silence, speech, silence and so on for so many seconds, and milliseconds in total."""
    windows = [round(1000 * length / WINDOW_MS) for length in seconds]
    values = [np.full(count, 0.9 if number % 2 else 0.1, np.float32) for number, count in enumerate(windows)]
    return np.concatenate(values), sum(windows) * WINDOW_MS


def seconds_of(pieces: list[Piece]) -> list[float]:
    """Return the lengths of pieces, silence negative, in seconds."""
    return [round((-1 if piece.silent else 1) * piece.length / 1000, 1) for piece in pieces]


@pytest.mark.parametrize(
    ("seconds", "pieces"),
    [
        ([2.0], [-2.0]),
        ([0.5, 4, 0.5], [-0.5, 4, -0.5]),
        ([0, 4, 0.6, 5], [4, -0.6, 5]),
        ([0, 4, 0.4, 5], [9.4]),
        ([0, 20, 0.2, 8, 0.4, 10], [28.2, -0.4, 10]),
        ([0, 20, 0.4, 8, 0.2, 10], [20, -0.4, 18.2]),
        ([0, 0.5, 1, 4], [5.5]),
        ([0, 4, 1, 0.5, 1.5, 4], [5.5, -1.5, 4]),
        ([0, 4, 2.5, 0.5, 2.5, 4], [4, -2.5, 0.5, -2.5, 4]),
        ([0, 29.8, 1, 0.5], [29.8, -1, 0.5]),
    ],
    ids=[
        *("silence", "speech", "a pause ends a segment", "a short pause does not", "the longest pause", "of two"),
        *("short speech joins", "the nearer", "but not from afar", "nor if it gets too long"),
    ],
)
def test_recording_is_cut_at_its_pauses(seconds, pieces):
    assert seconds_of(cut(*heard(*seconds), TIGHT)) == pytest.approx(pieces, abs=0.1)


def test_speech_without_a_pause_is_cut_where_it_is_least_likely_and_says_so():
    probabilities, milliseconds = heard(0, 45)
    probabilities[700] = 0.6
    first, second = cut(probabilities, milliseconds, TIGHT)
    assert (first.end, first.in_speech) == (700 * WINDOW_MS + WINDOW_MS // 2, True)
    assert (second.start, second.end, second.in_speech) == (first.end, milliseconds, False)


def test_segments_have_a_margin_of_the_pauses_and_share_short_ones():
    pieces = cut(*heard(1, 4, 0.6, 5), DEFAULTS.model_copy(update={"margin": 500}))
    assert seconds_of(pieces) == pytest.approx([-0.5, 4.8, 5.3], abs=0.1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(0.0, 40.0), max_size=30),
    st.integers(200, 3000),
    st.integers(100, 1000),
    st.integers(0, 500),
    st.integers(0, 5000),
)
def test_whatever_is_heard_nothing_is_lost_and_nothing_is_too_long(seconds, shortest, pause, margin, longer):
    options = CutOptions(shortest=shortest, longest=3 * shortest + 2 * margin + longer, pause=pause, margin=margin)
    probabilities, milliseconds = heard(*seconds) if seconds else (np.empty(0, np.float32), 0)
    probabilities *= np.random.default_rng(len(seconds)).uniform(0.7, 1, len(probabilities)).astype(np.float32)
    pieces = cut(probabilities, milliseconds, options)
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces)][: len(pieces)]
    assert not pieces or pieces[-1].end == milliseconds
    assert all(piece.length > 0 and (piece.silent or piece.length <= options.longest) for piece in pieces)
    for piece, after in pairwise(pieces):
        assert piece.silent or piece.in_speech or after.silent or pause_at(probabilities, piece.end)


def pause_at(probabilities: np.ndarray, milliseconds: int) -> bool:
    """Tell whether nobody speaks at a time."""
    window = milliseconds // WINDOW_MS
    return bool(min(probabilities[max(0, window - 1) : window + 2]) < 0.5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shortest": 10, "longest": 20}, "--longest: expected 30.2 to 3600 s"),
        ({"shortest": 0.1}, "--shortest: at least 0.2 s"),
        ({"pause": 0.05}, "--pause: at least 0.1 s"),
    ],
)
def test_lengths_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Segment(manifest="a.jsonl", output="out", **values)


@pytest.mark.parametrize("values", [{"normalizer": "whisper"}, {"engine": {"batch_size": 4}}, {"devices": "local"}])
def test_options_of_the_model_are_refused_without_one(values):
    with pytest.raises(ValueError, match=f"--{next(iter(values))}: not used without --model"):
        Segment(manifest="a.jsonl", output="out", **values)


def test_windows_are_whole_milliseconds():
    assert WINDOW == 16 * WINDOW_MS
