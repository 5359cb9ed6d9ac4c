"""How much may be quarantined before a run is stopped: something is wrong with the corpus then, or with its place."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tasks.schema import QUARANTINED
from tasks.storage import read_table

FEW = 10  # quarantined utterances that never stop a run


class OverBudget(Exception):
    """More is quarantined than the run may."""

    exit_code = 10


def check_budget(shards: Iterable[Path], utterances: int, share: float) -> None:
    """Raise as soon as the shards, as they come, have more quarantined rows than this share of all utterances."""
    reasons: Counter[str] = Counter()
    for shard in shards:
        rows = read_table(shard, columns=["reason"])
        reasons.update(reason for reason in rows["reason"].to_pylist() if reason in QUARANTINED)
        found = reasons.total()
        if found > max(FEW, share * utterances):
            first = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(3))
            raise OverBudget(
                f"{found:,} of {utterances:,} utterances are quarantined, more than max_quarantined ({share:.1%}) "
                f"allows: {first}. Mend them and choose another output, or go on in this one with a higher one"
            )
