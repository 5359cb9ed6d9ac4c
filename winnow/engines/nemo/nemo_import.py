"""NeMo without the hundred lines of advice about training with which it is imported and opens a checkpoint."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType

from winnow.imports import without_gc


def import_asr_models() -> ModuleType:
    """NeMo's models, imported if nobody has yet."""
    with nullcontext() if "nemo.collections.asr.models" in sys.modules else without_gc(), silence_nemo():
        from nemo.collections.asr import models
    found: ModuleType = models
    return found


@contextmanager
def silence_nemo() -> Iterator[None]:
    """Import NeMo and open a checkpoint; errors are shown."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nemo.utils import logging as nemo_logging

        nemo_logging.setLevel(logging.ERROR)
        yield
