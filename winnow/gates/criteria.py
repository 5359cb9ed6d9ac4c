"""What the gates of a cascade go by: where a reading is believed, where it is read again, where it is given up."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.parameters.curation import Curation
from winnow.parameters.gate import Bands, GateCriterion
from winnow.roles import Role


class Gates(BaseModel, frozen=True):
    """The bands of each measure, all of which are the better the lower they are.

    `doubt` is 1 - confidence of a reading, `disagreement` 1 - its agreement with those before it. `audit` is the share
    of what is believed or given up that the large model reads all the same.
    """

    by: GateCriterion
    wer: Bands
    doubt: Bands
    disagreement: Bands
    audit: float


def gates_for_small(settings: Curation) -> Gates:
    """Behind the small model."""
    gate, certain = settings.gate, settings.certain
    disagreement = Bands(0.0 if gate.accept_agreement is None else 1 - gate.accept_agreement, None)
    return Gates(by=gate.by, wer=settings.bands, doubt=certain, disagreement=disagreement, audit=gate.audit)


def gates_for_larger(settings: Curation) -> Gates:
    """Behind the larger ones: who is good enough for the filter goes no further."""
    gates, limit, sure = gates_for_small(settings), settings.filter.wer_limit, settings.filter.min_confidence
    wer = gates.wer if limit is None else Bands(limit, gates.wer.reject)
    doubt = gates.doubt if sure is None else Bands(1 - sure, gates.doubt.reject)
    return gates.model_copy(update={"wer": wer, "doubt": doubt, "audit": 0.0})


def assign_bands(scored: pa.Table, role: Role, gates: Gates) -> pa.ChunkedArray:
    """The band of each reading, by what the gate compares of it."""
    wer, unsure = scored[f"{role}_wer"], pc.subtract(1.0, scored[f"{role}_confidence"])
    if gates.by == "wer":
        return band_by_limits(wer, gates.wer)
    if gates.by == "agreement" and role != "small":
        return band_by_limits(pc.subtract(1.0, scored[f"{role}_agreement"]), gates.disagreement)
    if gates.by in ("auto", "agreement"):
        return pc.if_else(pc.is_valid(wer), band_by_limits(wer, gates.wer), band_by_limits(unsure, gates.doubt))
    return band_by_limits(unsure, gates.doubt)


def band_by_limits(values: pa.ChunkedArray, bands: Bands) -> pa.Array:
    """The band of each value; one that is not known is as good as one."""
    accept, reject = (float("nan") if limit is None else limit for limit in bands)
    values = pc.fill_null(values, 1.0)
    beyond = pc.if_else(pc.greater(values, reject), "reject", "escalate")
    return pc.if_else(pc.less_equal(values, accept), "accept", beyond)
