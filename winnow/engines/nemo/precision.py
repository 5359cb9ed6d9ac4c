"""In what numbers an encoder computes: fp32, fp16 or bf16."""

import functools
import time
from typing import Any, Literal

from winnow.errors import OptionError
from winnow.parameters.engine import EngineOptions

Precision = Literal["fp32", "fp16", "bf16"]

MIN_BF16_PARAMETERS = 5_000_000  # parameters; products of smaller encoders are too small for bf16 to pay on a CPU
MIN_BF16_SPEEDUP = 1.5  # times as fast a product must be in bf16 for a CPU: the rest of the model gains less


def choose_precision(encoder: Any, options: EngineOptions) -> Precision:
    """What was asked for, or what suits the encoder and its device."""
    import torch

    on_gpu = next(encoder.parameters()).is_cuda
    if options.precision == "fp16" and not on_gpu:
        raise OptionError("engine.precision fp16 is for GPUs, and there is none here: bf16 or fp32")
    if options.precision != "auto":
        return options.precision
    if on_gpu:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    large = sum(parameter.numel() for parameter in encoder.parameters()) >= MIN_BF16_PARAMETERS
    return "bf16" if large and bf16_speedup() >= MIN_BF16_SPEEDUP else "fp32"


@functools.cache
def bf16_speedup() -> float:
    """How many times as fast as in fp32 this CPU multiplies matrices in bf16, measured in about 50 ms.

    Its instruction sets do not tell: with AMX it is several times as fast, with AVX-512 alone it may be half as fast.
    """
    import torch

    def seconds(kind: torch.dtype) -> float:
        layer, rows = torch.nn.Linear(512, 512, dtype=kind), torch.ones(256, 512, dtype=kind)
        best = float("inf")
        with torch.inference_mode():
            for _ in range(8):
                began = time.perf_counter()
                layer(rows)
                best = min(best, time.perf_counter() - began)
        return best

    return seconds(torch.float32) / seconds(torch.bfloat16)
