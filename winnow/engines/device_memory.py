"""The memory of the GPU that a model runs on: how much audio fits into it, and how much of it was used."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.engines.batching import batch_seconds_for

PROBE_SECONDS, PROBE_CLIPS = 15.0, 4


def measure_batch_seconds(compute: Callable[[list[NDArray[np.float32]]], object], rate: int) -> float:
    """Return how many padded seconds fit into the GPU's free memory, by what a model computes of silent clips."""
    import torch

    clips = [np.zeros(int(PROBE_SECONDS * rate), np.float32)] * PROBE_CLIPS
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.inference_mode():
        compute(clips)
    used = torch.cuda.max_memory_allocated() - before
    free, _ = torch.cuda.mem_get_info()
    return batch_seconds_for(float(used) / (PROBE_CLIPS * PROBE_SECONDS), free)


def peak_bytes(device: Any) -> int | None:
    """Return the peak memory of a device of torch since the last call; None on a CPU."""
    import torch

    if device.type != "cuda":
        return None
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak
