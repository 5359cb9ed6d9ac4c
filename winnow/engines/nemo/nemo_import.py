"""NeMo without the hundred lines of advice about training that it logs on import and for each checkpoint."""

import functools
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import ModuleType
from typing import Any

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
    with without_gc() if first else nullcontext(), without_compiler() if first else nullcontext():
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


def when_called(
    find: Callable[[], Callable[..., Any]], function: Callable[..., Any] | None = None, *values: Any, **options: Any
) -> Callable[..., Any]:
    """Decorate a function with what `find` returns, but only when the function is first called."""
    if function is None:  # a decorator with options
        return lambda given: when_called(find, given, *values, **options)

    @functools.cache
    def decorated() -> Callable[..., Any]:
        return find()(function, *values, **options)  # type: ignore[no-any-return]

    return functools.wraps(function)(lambda *args, **kwargs: decorated()(*args, **kwargs))
