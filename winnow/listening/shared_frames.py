"""The model of DNSMOS P.835 on windows that overlap, which have most of its layers in common.

Its layers up to the last but one are convolutions of a few frames, of which a window's own zeros change those at its
two edges only. So they are computed once for all windows, and again for the edges of each.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from winnow.audio.onnx_models import open_onnx
from winnow.listening.measure import RATE
from winnow.listening.mel import Floats

FRAMES, HOP, FRAME = "mos_estimator_logpow/concat:0", 160, 320  # of frames: their name in the model, lengths in samples
POOLED, STRIDE = (
    "mos_estimator_logpow/max_pooling2d/MaxPool_1_conv0",
    4,
)  # of it: its name, and how many frames each has
RATING = "Identity:0"
SPAN = 225  # of a window, in units of STRIDE frames
STEP = RATE // HOP // STRIDE  # from the beginning of a window to that of the next
EDGE = 2  # at either end of a window, which its zeros change
PER_CALL = 100  # four seconds; more need memory and save no time
EDGES_PER_CALL = 16


class Halves(NamedTuple):
    """The model in two: the layers that windows have in common, and the rest."""

    shared: Any
    rest: Any


@cache
def open_halves(model: Path) -> Halves:
    """Return sessions of both; frames may be any number of a multiple of STRIDE."""
    import onnx

    extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(onnx.load(str(model))))
    halves = [extractor.extract_model([FRAMES], [POOLED]), extractor.extract_model([POOLED], [RATING])]
    for half in halves:
        for value in (*half.graph.input, *half.graph.output):
            value.type.tensor_type.ClearField("shape")
        del half.graph.value_info[:]
    return Halves(*(open_onnx(half.SerializeToString()) for half in halves))


def rate_windows(model: Path, samples: Floats, seconds: Sequence[int]) -> Floats:
    """Return what the model says of windows, of shape (windows, 3), that begin at these seconds, ascending."""
    halves = open_halves(model)
    rated: list[Floats] = []
    blocks = pooled_blocks(halves, frames_of(samples), seconds[0] * STEP, seconds[-1] * STEP + SPAN)
    edges = pooled_edges(halves, samples, seconds)
    start, pooled = next(blocks)
    for second in seconds:
        first = second * STEP
        while start + pooled.shape[2] < first + SPAN:
            _, following = next(blocks)
            pooled = np.concatenate([pooled[:, :, max(0, first - start) :], following], axis=2)
            start = max(start, first)
        window = pooled[:, :, first - start : first - start + SPAN].copy()
        window[:, :, :EDGE], window[:, :, -EDGE:] = next(edges)
        rated.append(halves.rest.run(None, {POOLED: window})[0])
    return np.concatenate(rated)


def frames_of(samples: Floats) -> Floats:
    """Return all frames of samples, as a view."""
    return np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]


def pooled_blocks(halves: Halves, frames: Floats, first: int, last: int) -> Iterator[tuple[int, Floats]]:
    """Yield what the shared layers make of frames from a place to another, in blocks, and where each begins."""
    for start in range(first, last, PER_CALL):
        end = min(last, start + PER_CALL)
        before, after = (EDGE if start > first else 0), (EDGE if end < last else 0)
        block = np.ascontiguousarray(frames[STRIDE * (start - before) : STRIDE * (end + after)])
        pooled = halves.shared.run(None, {FRAMES: block[None]})[0]
        yield start, pooled[:, :, before : before + end - start]


def pooled_edges(halves: Halves, samples: Floats, seconds: Sequence[int]) -> Iterator[tuple[Floats, Floats]]:
    """Yield what the shared layers make of the first and of the last frames of each window, with its zeros."""
    frames, length = frames_of(samples), 2 * EDGE * STRIDE
    starts = [STRIDE * (second * STEP) for second in seconds]
    for some in (starts[number : number + EDGES_PER_CALL] for number in range(0, len(starts), EDGES_PER_CALL)):
        places = [*some, *(start + STRIDE * SPAN - length for start in some)]
        pooled = halves.shared.run(None, {FRAMES: np.stack([frames[at : at + length] for at in places])})[0]
        yield from zip(pooled[: len(some), None, :, :EDGE], pooled[len(some) :, None, :, -EDGE:], strict=True)
