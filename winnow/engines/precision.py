"""The precision of an encoder: fp32, fp16 or bf16."""

import functools
import time
from collections.abc import Callable
from typing import Any, Literal

from winnow.errors import OptionError
from winnow.parameters.engine import EngineOptions

Precision = Literal["fp32", "fp16", "bf16"]

MIN_BF16_PARAMETERS = 5_000_000  # matrices of smaller encoders are too small for bf16 to pay off on a CPU
MIN_BF16_SPEEDUP = 1.5  # of a matrix product in bf16 on a CPU; the rest of the model gains less


@functools.cache
def bf16_speedup() -> float:
    """Measure how much faster this CPU multiplies matrices in bf16 than in fp32, which takes about 50 ms.

    Instruction sets do not tell: bf16 is several times faster with AMX, and may be half as fast with AVX-512 alone.
    """
    import torch

    def product_seconds(dtype: torch.dtype) -> float:
        layer, rows = torch.nn.Linear(512, 512, dtype=dtype), torch.ones(256, 512, dtype=dtype)
        best = float("inf")
        with torch.inference_mode():
            for _ in range(8):
                began = time.perf_counter()
                layer(rows)
                best = min(best, time.perf_counter() - began)
        return best

    return product_seconds(torch.float32) / product_seconds(torch.bfloat16)


def choose_precision(encoder: Any, options: EngineOptions, speedup: Callable[[], float] = bf16_speedup) -> Precision:
    """Return the precision of the options, or the best one for the encoder and its device.

    `speedup` measures how much faster the CPU is in bf16 than in fp32.
    Raises OptionError if the device does not support the requested one.
    """
    parameters = list(encoder.parameters())
    return precision_for(parameters[0].is_cuda, sum(each.numel() for each in parameters), options, speedup)


def precision_for(
    on_gpu: bool, parameters: int, options: EngineOptions, speedup: Callable[[], float] = bf16_speedup
) -> Precision:
    """Return the precision of the options, or the best one for so many parameters; as `choose_precision`."""
    import torch

    if options.precision == "fp16" and not on_gpu:
        raise OptionError("engine.precision: fp16 requires a GPU: use bf16 or fp32")
    if options.precision != "auto":
        return options.precision
    if on_gpu:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if parameters >= MIN_BF16_PARAMETERS and speedup() >= MIN_BF16_SPEEDUP else "fp32"
