"""NeMo without the hundred lines of advice about training that it logs on import and for each checkpoint."""

import functools
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from winnow.engines.nemo.deferred_imports import deferred_imports, when_called
from winnow.imports import without_gc


def import_asr_models() -> ModuleType:
    """Import NeMo's model classes, unless they are imported already."""
    with silence_nemo(), quick_import_of("nemo.collections.asr.models"):
        from nemo.collections.asr import models
    module: ModuleType = models
    return module


@contextmanager
def silence_nemo() -> Iterator[None]:
    """Let NeMo log nothing but errors during the block."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with quick_import_of("nemo.utils"):
            from nemo.utils import logging as nemo_logging
        nemo_logging.setLevel(logging.ERROR)
        yield


@contextmanager
def quick_import_of(module: str) -> Iterator[None]:
    """Leave out what costs time without use when the block imports this module, unless it is imported already."""
    first = module not in sys.modules
    with ExitStack() as blocks:
        if first:
            for saving in (without_gc, deferred_imports, without_compiler):
                blocks.enter_context(saving())
        yield


@contextmanager
def without_compiler() -> Iterator[None]:
    """Keep torch's compiler from being imported during the block: with it, NeMo's import takes a fifth more time.

    NeMo compiles one function on import, and Lightning asks for the class of compiled models. No recogniser of speech
    needs either, unless it was trained with flexible attention.
    """
    import torch

    compile_now: Callable[..., Any] = torch.compile
    compiler = "torch._dynamo" not in sys.modules and compiler_stand_in()
    torch.compile = functools.partial(when_called, lambda: compile_now)
    if compiler:
        sys.modules["torch._dynamo"] = compiler
    try:
        yield
    finally:
        torch.compile = compile_now
        if compiler:
            del sys.modules["torch._dynamo"]


def compiler_stand_in() -> ModuleType:
    """Return a module with the two names of torch's compiler that Lightning uses on import."""
    stand_in: Any = ModuleType("torch._dynamo")
    stand_in.OptimizedModule = type("OptimizedModule", (), {})  # of which nothing is an instance
    stand_in.disable = functools.partial(when_called, lambda: import_module("torch._dynamo").disable)
    return stand_in  # type: ignore[no-any-return]
