"""How much may be quarantined before a run stops: above that, the corpus or its location is wrong as a whole."""

from collections import Counter
from pathlib import Path

from winnow.errors import TooManyQuarantined
from winnow.runs.ledger import run_of
from winnow.runs.shard_files import read_table
from winnow.schema import QUARANTINE_REASONS, RETRIABLE, remedy_for

ALWAYS_ALLOWED = 10  # utterances; as many never stop a run


class QuarantineLimit:
    """Counts quarantined utterances, and raises once they are more than a share (0 to 1) of all utterances.

    Those whose audio has a better text in another line are not counted: that is known last, and no audio is lost.
    """

    def __init__(self, utterances: int, share: float, referenced: bool = True) -> None:
        """With `referenced`, an utterance without a text is quarantined."""
        self._utterances, self._share, self._referenced = utterances, share, referenced
        self._reasons: Counter[str] = Counter()

    def add(self, shard: Path) -> None:
        """Count a shard's rows; raise TooManyQuarantined if the limit is exceeded."""
        rows = read_table(shard, columns=["reason"])
        self._reasons.update(reason for reason in rows["reason"].to_pylist() if reason in QUARANTINE_REASONS)
        quarantined = self._reasons.total()
        if quarantined > max(ALWAYS_ALLOWED, self._share * self._utterances):
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self._reasons.most_common(3))
            remedy = remedy_for(self._reasons.most_common(1)[0][0], self._referenced)
            raise TooManyQuarantined(
                f"{quarantined:,} of {self._utterances:,} utterances are quarantined, more than max_quarantined "
                f"({self._share:.1%}) allows: {reasons}. "
                + (
                    f"{remedy[0].upper()}{remedy[1:]}, and choose another output. Otherwise repair"
                    if remedy
                    else "Repair"
                )
                + " them and choose another output, or continue in this one with a higher --max-quarantined"
                + self._retry(shard)
            )

    def _retry(self, shard: Path) -> str:
        """Say how the most frequent reason can be tried again, if it can."""
        reason = self._reasons.most_common(1)[0][0]
        if reason not in RETRIABLE:
            return ""
        return f"; once their audio can be read, winnow resume {run_of(shard)} --retry {reason} tries only them again"
