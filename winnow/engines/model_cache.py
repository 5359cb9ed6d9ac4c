"""Loaded models, of which the most recently used ones stay in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from winnow.engines.engine import Checkpoint, Recogniser
from winnow.engines.registry import engine_for
from winnow.parameters.engine import EngineOptions


class ModelCache:
    """At most `size` loaded models, fewer if memory does not suffice; the least recently used one is evicted first."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self.models: OrderedDict[tuple[Checkpoint, EngineOptions], Recogniser] = OrderedDict()
        self.loading = threading.Lock()

    def reserve(self, models: int) -> None:
        """Let at least this many models stay in memory: as many as a run has."""
        with self.loading:
            self.size = max(self.size, models)

    def get(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        """Return the loaded model of a checkpoint; threads share it."""
        key = checkpoint, options
        with self.loading:
            if key not in self.models:
                while len(self.models) >= self.size:
                    self.models.popitem(last=False)
                engine = engine_for(checkpoint.name)
                self.models[key] = self.load_with_eviction(lambda: engine.load(checkpoint, options))
            self.models.move_to_end(key)
            return self.models[key]

    def load_with_eviction(self, load: Callable[[], Recogniser]) -> Recogniser:
        """Load a model; while it does not fit into memory, evict the least recently used one and try again."""
        while True:
            try:
                return load()
            except Exception as error:
                if not self.models or "out of memory" not in str(error).lower():
                    raise
            self.models.popitem(last=False)


PROCESS_CACHE = ModelCache()
"""The models of this process."""


def get_model(checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
    """Return the loaded model of a checkpoint from the cache of this process."""
    return PROCESS_CACHE.get(checkpoint, options)
