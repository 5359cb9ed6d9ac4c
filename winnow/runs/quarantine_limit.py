"""How much may be quarantined before a run is stopped: something is wrong with the corpus then, or with its place."""

from collections import Counter
from pathlib import Path

from winnow.errors import TooManyQuarantined
from winnow.runs.storage import read_table
from winnow.schema import QUARANTINE_REASONS

ALWAYS_ALLOWED = 10  # quarantined utterances that never stop a run


class QuarantineLimit:
    """What is quarantined so far, and how much of all utterances may be."""

    def __init__(self, utterances: int, share: float) -> None:
        self.utterances, self.share = utterances, share
        self.reasons: Counter[str] = Counter()

    def take(self, shard: Path) -> None:
        """Count a shard's rows in; raises as soon as that is too much."""
        rows = read_table(shard, columns=["reason"])
        self.reasons.update(reason for reason in rows["reason"].to_pylist() if reason in QUARANTINE_REASONS)
        found = self.reasons.total()
        if found > max(ALWAYS_ALLOWED, self.share * self.utterances):
            first = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.most_common(3))
            raise TooManyQuarantined(
                f"{found:,} of {self.utterances:,} utterances are quarantined, more than max_quarantined "
                f"({self.share:.1%}) allows: {first}. Mend them and choose another output, or go on in this one with a "
                "higher one"
            )
