"""NeMo without the hundred lines of advice about training with which it is imported and opens a checkpoint."""

import gc
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Import NeMo and open a checkpoint; errors are shown."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nemo.utils import logging as nemo_logging

        nemo_logging.setLevel(logging.ERROR)
        yield


@contextmanager
def uncollected() -> Iterator[None]:
    """Import NeMo in five sixths of the time: an import leaves no garbage, and none is looked for meanwhile."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
