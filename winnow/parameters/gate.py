"""Which utterances a larger model transcribes: the gate."""

from typing import Literal, NamedTuple

from pydantic import Field

from winnow.parameters.settings import Fraction, Parameters, Share


class Bands(NamedTuple):
    """Up to `accept` the small model is believed, above `reject` the row is given up; null: never."""

    accept: float | None
    reject: float | None


GATE_PRESETS = {
    "bands": Bands(accept=0.25, reject=1.05),
    "guide": Bands(accept=None, reject=0.5),
    "everything": Bands(accept=None, reject=None),
    "budget": Bands(accept=0.25, reject=None),  # found anew in each run, from there on
}


GateCriterion = Literal["auto", "wer", "confidence", "agreement"]
"""What a gate compares."""


REJECTED_BY_GATE_RULE = 'REJECTED_BY_GATE: last_band != "reject"'
"""What a gate gives up is dropped, whatever the filter."""


class Gate(Parameters):
    """Which utterances a larger model reads."""

    preset: Literal["bands", "guide", "everything", "budget"] = Field(
        "bands",
        title="Preset",
        description="bands: believe the small model up to WER 0.25, give up above 1.05, escalate what lies between; "
        "guide: escalate everything up to WER 0.5, drop the rest; everything: the large model reads all; budget: the "
        "band that rescues most for the budget, as a sample shows once the small model has read everything",
    )
    by: GateCriterion = Field(
        "auto",
        title="By",
        description="What is compared: wer or confidence; auto: wer where there is a reference, else confidence; "
        "agreement: the same, but behind the large model how far that one agrees with the readings before it",
    )
    budget: Share | None = Field(
        None,
        title="Budget",
        description="Share (0 to 1) of what the large model would take for everything that it may take, of preset "
        "budget; empty: 0.4",
    )
    accept: Fraction | None = Field(
        None,
        title="Accept up to",
        description="WER (fraction) up to which the small model is believed; empty: the preset's, or the filter's "
        "highest WER where that is lower",
    )
    reject: Fraction | None = Field(
        None,
        title="Reject above",
        description="WER (fraction) above which the large model is not asked and the row dropped; empty: the preset's",
    )
    accept_confidence: Share | None = Field(
        None,
        title="Accept confidence from",
        description="Confidence (0 to 1) from which a reading is believed where the gate goes by it; models differ in "
        "how confident they are, so there is no usual one; empty: never",
    )
    reject_confidence: Share | None = Field(
        None,
        title="Reject confidence below",
        description="Confidence (0 to 1) below which the row is dropped where the gate goes by it; empty: never",
    )
    accept_agreement: Share | None = Field(
        None,
        title="Accept agreement from",
        description="Mean share (0 to 1) of the models so far that have what the last one has, from which that is "
        "believed where the gate goes by agreement; empty: 1",
    )
    audit: Share = Field(
        0.005,
        title="Audit",
        description="Share (0 to 1) of what is believed or given up that the large model reads all the same: the "
        "report then says what the gate loses; it changes no decision",
    )
