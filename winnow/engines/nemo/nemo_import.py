"""NeMo without the hundred lines of advice about training that it logs on import and for each checkpoint."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType

from winnow.imports import without_gc


def import_asr_models() -> ModuleType:
    """Import NeMo's model classes, unless they are imported already."""
    with nullcontext() if "nemo.collections.asr.models" in sys.modules else without_gc(), silence_nemo():
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
