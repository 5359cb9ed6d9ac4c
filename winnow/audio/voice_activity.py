"""Voice activity: how likely each 32 ms of audio are speech, by Silero VAD, and the spans of speech that follow.

The weights come with the package `silero-vad`, which is read but not imported: it imports torch, and needs less than
that for them. https://github.com/snakers4/silero-vad
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from winnow.audio.measurements import Samples
from winnow.audio.onnx_models import open_onnx, packaged_file
from winnow.errors import OptionError

RATE = 16_000  # Hz, of the samples
WINDOW = 512  # samples, 32 ms
CONTEXT = 64  # samples before each window that the model sees again
WINDOWS_PER_CALL = 512  # 16 s
WEIGHTS = "data/silero_vad_16k_sequence.onnx"  # one call for many windows, of which the last state is returned
STATE = (1, 1, 128)


class Span(NamedTuple):
    """A part of audio, in samples at RATE."""

    start: int
    end: int


@dataclass(frozen=True)
class SpanOptions:
    """How spans follow from probabilities; the defaults are Silero's own.

    Speech begins at a probability of `threshold`, and ends where it is below `threshold - 0.15`, if it does not return
    to the threshold within `pause` seconds. Spans shorter than `shortest` seconds are dropped, the others are extended
    by up to `margin` seconds at both ends.
    """

    threshold: float = 0.5
    pause: float = 0.1
    shortest: float = 0.25
    margin: float = 0.03


def check_installed() -> None:
    """Raise OptionError, which names the extra, if a package is missing."""
    for module, package in (("onnxruntime", "onnxruntime"), ("silero_vad", "silero-vad")):
        if find_spec(module) is None:
            raise OptionError(f"voice activity requires {package}: install winnow[listen]")


def weights() -> Path:
    """Return the file with the weights; raises OptionError if the package has none, or is not installed."""
    check_installed()
    return packaged_file("silero_vad", WEIGHTS)


@cache
def load_session() -> Any:
    """Return the model, which any number of threads may call: its state is an argument."""
    return open_onnx(weights())


def speech_probabilities(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Yield the probability of speech for each window of 32 ms, in arrays, of mono samples at RATE in blocks.

    The last window is filled up with zeros. However the samples are cut into blocks, the result is the same.
    """
    session, state, cell = load_session(), np.zeros(STATE, np.float32), np.zeros(STATE, np.float32)
    before = np.zeros(CONTEXT, np.float32)
    for windows in windows_of(blocks):
        rows = np.empty((len(windows), CONTEXT + WINDOW), np.float32)
        rows[:, CONTEXT:] = windows
        rows[1:, :CONTEXT] = windows[:-1, -CONTEXT:]
        rows[0, :CONTEXT], before = before, windows[-1, -CONTEXT:].copy()
        inputs = {"input": rows, "h": state, "c": cell}
        probabilities, state, cell = session.run(["speech_probs", "hn", "cn"], inputs)
        yield probabilities.reshape(-1)


def windows_of(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Cut samples into rows of WINDOW, always WINDOWS_PER_CALL of them until the end."""
    rest, size = np.empty(0, np.float32), WINDOW * WINDOWS_PER_CALL
    for block in blocks:
        rest = np.concatenate([rest, np.asarray(block, np.float32)])
        for _ in range(len(rest) // size):
            yield rest[:size].reshape(-1, WINDOW)
            rest = rest[size:]
    if len(rest):
        yield np.pad(rest, (0, -len(rest) % WINDOW)).reshape(-1, WINDOW)


def speech_spans(probabilities: Samples, length: int, options: SpanOptions | None = None) -> list[Span]:
    """Return the spans of speech in `length` samples, given the probability of each window.

    They are those of `silero_vad.get_speech_timestamps` without a longest duration.
    """
    options = options or SpanOptions()
    pause, shortest, margin = (seconds * RATE for seconds in (options.pause, options.shortest, options.margin))
    runs = [run for run in raw_spans(probabilities, length, options.threshold, pause) if run.end - run.start > shortest]
    return with_margins(runs, length, margin)


def raw_spans(probabilities: Samples, length: int, threshold: float, pause: float) -> Iterator[Span]:
    """Yield spans of speech; a pause is at least so many samples."""
    below, start, end = max(threshold - 0.15, 0.01), -1, -1
    for window, probability in enumerate(probabilities.tolist()):
        place = window * WINDOW
        if probability >= threshold:
            start, end = place if start < 0 else start, -1
        elif probability < below and start >= 0:
            end = place if end < 0 else end
            if place - end >= pause:
                yield Span(start, end)
                start = end = -1
    if start >= 0:
        yield Span(start, length)


def with_margins(spans: list[Span], length: int, margin: float) -> list[Span]:
    """Extend spans at both ends; those that would meet share what lies between them."""
    starts, ends = [span.start for span in spans], [span.end for span in spans]
    for number in range(len(spans)):
        if number == 0:
            starts[0] = int(max(0, starts[0] - margin))
        if number == len(spans) - 1:
            ends[number] = int(min(length, ends[number] + margin))
        elif (silence := starts[number + 1] - ends[number]) < 2 * margin:
            ends[number] += silence // 2
            starts[number + 1] -= silence // 2
        else:
            ends[number] = int(min(length, ends[number] + margin))
            starts[number + 1] = int(max(0, starts[number + 1] - margin))
    return [Span(start, end) for start, end in zip(starts, ends, strict=True)]
