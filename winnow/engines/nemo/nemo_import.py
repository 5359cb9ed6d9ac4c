"""NeMo without the hundred lines of advice about training that it logs on import and for each checkpoint."""

import functools
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

from winnow.imports import without_gc


def import_asr_models() -> ModuleType:
    """Import NeMo's model classes, unless they are imported already."""
    first = "nemo.collections.asr.models" not in sys.modules
    with silence_nemo(), without_gc() if first else nullcontext(), compile_when_called() if first else nullcontext():
        from nemo.collections.asr import models
    module: ModuleType = models
    return module


@contextmanager
def silence_nemo() -> Iterator[None]:
    """Let NeMo log nothing but errors during the block."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nemo.utils import logging as nemo_logging

        nemo_logging.setLevel(logging.ERROR)
        yield


@contextmanager
def compile_when_called() -> Iterator[None]:
    """Let a function that is compiled during the block be compiled when it is first called.

    NeMo compiles one function on import, for which torch imports its whole compiler: a fifth of the time of NeMo's own
    import. No recogniser of speech calls it unless it was trained with flexible attention.
    """
    import torch

    compile_now: Callable[..., Any] = torch.compile

    def compile_later(function: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
        if function is None:  # a decorator with options
            return functools.partial(compile_later, **options)

        @functools.cache
        def compiled() -> Callable[..., Any]:
            return compile_now(function, **options)  # type: ignore[no-any-return]

        return functools.wraps(function)(lambda *args, **kwargs: compiled()(*args, **kwargs))

    torch.compile = compile_later  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = compile_now
