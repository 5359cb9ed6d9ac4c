"""Voices: embeddings of windows, and their similarity within an utterance and to others of its speaker."""

import numpy as np
import pytest

from tests.test_listening import REAL
from winnow.audio.decode import load_clip
from winnow.listening.measure import RATE, Sound, Utterances, pack
from winnow.listening.speakers import Speakers, lowest_similarity, unit, window_starts

A, B = np.float32([1, 0]), np.float32([0, 1])
MIXED = unit(A + B)


@pytest.mark.parametrize(
    ("speakers", "vectors", "similarity"),
    [
        (["ann", "ann", "bob", "bob"], [A, A, B, B], [1, 1, 1, 1]),
        (["ann", "ann", "ann"], [A, A, B], [0.71, 0.71, 0]),
        (["ann", "bob", None, None], [A, B, A, A], [None, None, None, None]),
        (["ann", "ann", "ann"], [A, None, MIXED], [0.71, None, 0.71]),
        ([], [], []),
    ],
)
def test_voice_is_compared_with_the_other_rows_of_its_speaker(speakers, vectors, similarity):
    lines = list(range(len(speakers)))
    run = Utterances(lines, lines, [2.0] * len(lines), ["x"] * len(lines), speakers)
    found = Speakers().relate(run, [vector if vector is None else pack(vector) for vector in vectors])
    assert found["speaker_similarity"] == [
        value if value is None else pytest.approx(value, abs=0.01) for value in similarity
    ]


@pytest.mark.parametrize(
    ("windows", "lowest"),
    [([A] * 5, None), ([A] * 6, 1), ([A, A, A, B, B, B], 0), ([A] * 9 + [B] * 2, 0.45), ([A, B] * 4, 0.8)],
)
def test_lowest_similarity_is_that_of_stretches_of_three_windows(windows, lowest):
    assert lowest_similarity(np.stack(windows)) == (lowest if lowest is None else pytest.approx(lowest, abs=0.01))


@pytest.mark.parametrize(
    ("seconds", "starts"), [(0.5, [0]), (1.6, [0]), (1.9, [0]), (2.0, [0, 77]), (2.37, [0, 77]), (3.2, [0, 77, 154])]
)
def test_last_window_is_heard_if_three_quarters_of_it_are_speech(seconds, starts):
    assert window_starts(int(seconds * RATE)) == starts


def hear(name: str) -> dict:
    Speakers().check_installed()
    return Speakers().measure(Sound(load_clip(str(REAL / name), None, None, RATE, longest=120).samples))


@pytest.fixture
def encoder():
    if Speakers().missing_package():
        pytest.skip("winnow[speakers] is not installed")
    if not REAL.exists():
        pytest.skip("there is no shared/real")


@pytest.mark.usefixtures("encoder")
def test_two_speakers_in_an_utterance_are_less_alike_than_one():
    assert hear("long/two-speakers.wav")["voice_similarity"] < 0.5
    assert hear("audio/libri-2412-0.flac")["voice_similarity"] > 0.8
    assert hear("audio/no-speech.wav") == {}
