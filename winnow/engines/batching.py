"""How much audio a batch may hold."""

import threading
from dataclasses import dataclass, field

from winnow.hardware import MAX_BATCH_SECONDS, MEMORY_SHARE


@dataclass
class BatchLimits:
    """The size of batches: padded seconds, utterances at most, and what was too much for the device's memory.

    A batch that did not fit is remembered: half of its seconds is the most for clips from half of its length on.
    """

    seconds: float
    utterances: int | None = None
    limits: list[tuple[float, float]] = field(default_factory=list)
    """For clips from so many seconds on, the most padded seconds in a batch."""
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fits(self, clips: int, longest: float) -> bool:
        """Whether so many clips, the longest of so many seconds, may be a batch; one always may."""
        if clips == 1:
            return True
        if clips * longest > self.seconds or (self.utterances and clips > self.utterances):
            return False
        return all(longest < start or clips * longest <= most for start, most in self.limits)

    def remember(self, clips: int, longest: float) -> None:
        """That so many clips of so many seconds did not fit."""
        with self._turn:
            self.limits = [*self.limits, (longest / 2, clips // 2 * longest)]


def batch_seconds_for(bytes_a_second: float, free: int) -> float:
    """The padded seconds in a batch for which so many bytes of free device memory are enough."""
    return max(1.0, min(MAX_BATCH_SECONDS, MEMORY_SHARE * free / bytes_a_second))
