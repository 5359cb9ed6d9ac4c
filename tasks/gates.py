"""What the gates of a cascade go by: where a reading is believed, where it is read again, where it is given up."""

from typing import Any

from pydantic import BaseModel

from tasks.config import Curation
from tasks.criteria import Bands, By


class Gates(BaseModel, frozen=True):
    """The bands of each measure, all of which are the better the lower they are.

    `doubt` is 1 - confidence of a reading, `disagreement` 1 - its agreement with those before it. `audit` is the share
    of what is believed or given up that the large model reads all the same.
    """

    by: By
    wer: Bands
    doubt: Bands
    disagreement: Bands
    audit: float


def first_gates(settings: Curation) -> Gates:
    """Behind the small model."""
    gate, certain = settings.gate, settings.certain
    disagreement = Bands(0.0 if gate.accept_agreement is None else 1 - gate.accept_agreement, None)
    return Gates(by=gate.by, wer=settings.bands, doubt=certain, disagreement=disagreement, audit=gate.audit)


def further_gates(settings: Curation) -> Gates:
    """Behind the larger ones: who is good enough for the filter goes no further."""
    gates, limit, sure = first_gates(settings), settings.filter.wer_limit, settings.filter.min_confidence
    wer = gates.wer if limit is None else Bands(limit, gates.wer.reject)
    doubt = gates.doubt if sure is None else Bands(1 - sure, gates.doubt.reject)
    return gates.model_copy(update={"wer": wer, "doubt": doubt, "audit": 0.0})


def within_budget(settings: Curation, wer: Bands, doubt: Bands, sampled: float) -> Gates:
    """Behind the small model, with bands that were found; what was read to find them is the audit."""
    found: dict[str, Any] = {"wer": wer, "doubt": doubt, "audit": sampled}
    return first_gates(settings).model_copy(update=found)
