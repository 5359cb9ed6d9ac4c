"""Who speaks: whether one voice is heard within an utterance, and in all utterances of a speaker.

The encoder is that of the package `resemblyzer` (Wan et al., "Generalized End-to-End Loss for Speaker Verification",
ICASSP 2018), whose weights are read without importing it. Its embeddings are those of its `embed_utterance`, of the
speech that Silero VAD finds. https://github.com/resemble-ai/Resemblyzer
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from winnow.audio.onnx_models import packaged_file
from winnow.digests import sha256_of
from winnow.listening.measure import RATE, Column, RunMeasure, Sound, Utterances, Value, pack, unpack
from winnow.listening.mel import Floats, mel_power
from winnow.listening.speech import Speech

FRAME, HOP, BANDS = 400, 160, 40
WINDOW, STEP = 160, 77  # frames that the encoder hears at a time, 1.6 s, and between them
LEAST_COVERAGE = 0.75  # of the last window
LOUDNESS = 10 ** (-30 / 20)  # root mean square to which quiet speech is raised; 1 is full scale
SHORTEST = 0.5  # seconds of speech
JOINED = 3  # windows in a row that are compared with others of the utterance, 3.1 s


class Speakers(RunMeasure):
    """Cosines of embeddings of voices, which are 1 for the same voice; see docs/listening.md for what is usual."""

    name = "speakers"
    extra = "speakers"
    packages = {**Speech.packages, "resemblyzer": "resemblyzer"}  # noqa: RUF012
    relative = (
        Column(
            "speaker_similarity",
            "number",
            "Similarity (0 to 1) of the voice to the mean of the other rows of its speaker; null without any",
        ),
    )
    columns = (
        Column(
            "voice_similarity",
            "number",
            "Lowest similarity (0 to 1) of voices between stretches of 3 s of the utterance; null if it is shorter",
        ),
        *relative,
    )

    def versions(self) -> dict[str, str]:
        weights = packaged_file("resemblyzer", "pretrained.pt")
        return Speech().versions() | {"torch": version("torch"), weights.name: sha256_of(weights), "method": "1"}

    def measure(self, sound: Sound) -> dict[str, Value]:
        spoken = [sound.samples[span.start : span.end] for span in sound.speech]
        speech = np.concatenate(spoken) if spoken else sound.samples[:0]
        if len(speech) < SHORTEST * RATE:
            return {}
        windows = embed(speech)
        return {"voice_similarity": lowest_similarity(windows), self.vector: pack(unit(windows.mean(axis=0)))}

    def relate(self, run: Utterances, vectors: list[bytes | None]) -> dict[str, list[Value]]:
        similarity: list[Value] = [None] * len(run.lines)
        known, embeddings = unpack(vectors)
        of_speaker: dict[str, list[int]] = {}
        for row, at in enumerate(known.tolist()):
            if (speaker := run.speakers[at]) is not None:
                of_speaker.setdefault(speaker, []).append(row)
        for rows in of_speaker.values():
            if len(rows) > 1:
                own = embeddings[rows]
                found = np.sum(own * unit(own.sum(axis=0) - own), axis=1)
                for row, value in zip(rows, found.tolist(), strict=True):
                    similarity[int(known[row])] = value
        return {"speaker_similarity": similarity}


def unit(vectors: Floats) -> Floats:
    """Return vectors of length 1."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return scaled


def lowest_similarity(windows: Floats) -> float | None:
    """Return the lowest cosine between means of JOINED embeddings in a row that share no window; None without two."""
    if len(windows) < 2 * JOINED:
        return None
    stretches = unit(np.lib.stride_tricks.sliding_window_view(windows, JOINED, axis=0).mean(axis=-1))
    return float(np.min((stretches @ stretches.T)[np.triu_indices(len(stretches), JOINED)]))


def embed(speech: Floats) -> Floats:
    """Return the embeddings of the windows of speech, of shape (windows, 256)."""
    import torch

    loudness = float(np.sqrt(np.mean(np.square(speech, dtype=np.float64))))
    frames = mel_power(speech * max(1.0, LOUDNESS / loudness), FRAME, HOP, BANDS)
    starts = window_starts(len(speech))
    padded = np.pad(frames, ((0, max(0, starts[-1] + WINDOW - len(frames))), (0, 0)))
    windows = torch.from_numpy(np.stack([padded[start : start + WINDOW] for start in starts]))
    recurrent, linear = load()
    with torch.inference_mode(), one_core():
        _, (hidden, _) = recurrent(windows)
        return unit(torch.relu(linear(hidden[-1])).numpy())


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread's work on one core: layers this small spend most of the time of several in waiting."""
    import torch

    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(cores)


def window_starts(samples: int) -> list[int]:
    """Return the first frames of windows; the last one may reach beyond the end by a quarter."""
    frames = -(-(samples + 1) // HOP)
    starts = list(range(0, max(1, frames - WINDOW + STEP + 1), STEP))
    covered = (samples / HOP - starts[-1]) / WINDOW
    return starts[:-1] if covered < LEAST_COVERAGE and len(starts) > 1 else starts


@cache
def load() -> Any:
    """Return the encoder's recurrent and its last layer, which any number of threads may call."""
    import torch

    state = torch.load(packaged_file("resemblyzer", "pretrained.pt"), map_location="cpu", weights_only=True)
    layers = {"lstm": torch.nn.LSTM(BANDS, 256, 3, batch_first=True), "linear": torch.nn.Linear(256, 256)}
    for name, layer in layers.items():
        named = {key: value for key, value in state["model_state"].items() if key.startswith(f"{name}.")}
        layer.load_state_dict({key.removeprefix(f"{name}."): value for key, value in named.items()})
        layer.eval()
    return layers["lstm"], layers["linear"]
