"""How much audio fits into a batch."""

import threading
from dataclasses import dataclass, field

from winnow.hardware import MAX_BATCH_SECONDS, MEMORY_SHARE


@dataclass
class BatchLimits:
    """The limits of a batch: padded seconds, optionally utterances, and what exceeded the device's memory before.

    A batch that did not fit limits later ones: clips of at least half its length get at most half its padded seconds.
    """

    seconds: float
    utterances: int | None = None
    learned: list[tuple[float, float]] = field(default_factory=list)
    """Pairs of clip length and most padded seconds, which apply to clips of at least that length [s]."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fits(self, clips: int, longest: float) -> bool:
        """Tell whether `clips` clips, the longest of `longest` seconds, may form a batch; a single one always may."""
        if clips == 1:
            return True
        if clips * longest > self.seconds or (self.utterances and clips > self.utterances):
            return False
        return all(longest < length or clips * longest <= most for length, most in self.learned)

    def learn(self, clips: int, longest: float) -> None:
        """Remember a batch that did not fit."""
        with self._lock:
            self.learned = [*self.learned, (longest / 2, clips // 2 * longest)]


def batch_seconds_for(bytes_per_second: float, free: int) -> float:
    """Return how many padded seconds of a batch fit into `free` bytes of device memory."""
    return max(1.0, min(MAX_BATCH_SECONDS, MEMORY_SHARE * free / bytes_per_second))
