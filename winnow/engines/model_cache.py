"""Loaded models, of which the most recently used ones stay in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from winnow.engines.engine import Checkpoint, Recogniser
from winnow.engines.registry import engine_for
from winnow.parameters.engine import EngineOptions

_size = 2
_models: OrderedDict[tuple[Checkpoint, EngineOptions], Recogniser] = OrderedDict()
_loading = threading.Lock()


def set_cache_size(models: int) -> None:
    """Let at least this many models stay in memory: as many as a run has."""
    global _size
    with _loading:
        _size = max(_size, models)


def get_model(checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
    """Return the loaded model of a checkpoint; threads of a process share it.

    The two most recently used models stay, or as many as `set_cache_size` allows, as far as memory lasts.
    """
    key = checkpoint, options
    with _loading:
        if key not in _models:
            while len(_models) >= _size:
                _models.popitem(last=False)
            _models[key] = load_with_eviction(lambda: engine_for(checkpoint.name).load(checkpoint, options))
        _models.move_to_end(key)
        return _models[key]


def load_with_eviction(load: Callable[[], Recogniser]) -> Recogniser:
    """Load a model; while it does not fit into memory, evict the least recently used one and try again."""
    while True:
        try:
            return load()
        except Exception as error:
            if not _models or "out of memory" not in str(error).lower():
                raise
        _models.popitem(last=False)
