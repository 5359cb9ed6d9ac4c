"""Loaded models, of which the last ones used stay in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from winnow.engines.engine import Checkpoint, Recogniser
from winnow.engines.registry import engine_for
from winnow.parameters.engine import EngineOptions

_most = 2


_residents: OrderedDict[tuple[Checkpoint, EngineOptions], Recogniser] = OrderedDict()


_loading = threading.Lock()


def set_cache_size(models: int) -> None:
    """Let so many recognisers stay in memory: as many as a run has."""
    global _most
    with _loading:
        _most = max(_most, models)


def get_model(checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
    """The checkpoint's recogniser, loaded once a process, whatever threads ask for it.

    The last two used stay, or as many as `keep` was told; fewer, where there is no memory for another.
    """
    key = checkpoint, options
    with _loading:
        if key not in _residents:
            while len(_residents) >= _most:
                _residents.popitem(last=False)
            _residents[key] = load_with_eviction(lambda: engine_for(checkpoint.name).load(checkpoint, options))
        _residents.move_to_end(key)
        return _residents[key]


def load_with_eviction(load: Callable[[], Recogniser]) -> Recogniser:
    """A recogniser as it is loaded; the longest unused ones go for it until there is memory enough."""
    while True:
        try:
            return load()
        except Exception as error:
            if not _residents or "out of memory" not in str(error).lower():
                raise
        _residents.popitem(last=False)
