"""The options of the gates: which utterances a larger model transcribes."""

from typing import Any, Literal

from pydantic import Field, field_validator

from winnow.gates.criteria import CRITERIA, GateLimits
from winnow.parameters.settings import ErrorRate, NonNegative, Parameters, PositiveShare, Share
from winnow.rules.rule import parse

GATE_PRESETS = {
    "bands": GateLimits(accept=0.25, reject=1.05),
    "guide": GateLimits(accept=None, reject=0.5),
    "everything": GateLimits(accept=None, reject=None),
    "budget": GateLimits(accept=0.25, reject=None),  # until the run chooses its own
}
"""The limits of WER by preset."""

DEFAULT_BUDGET = 0.4


def list_criteria(schema: dict[str, Any]) -> None:
    """Offer the criteria as choices in Prefect's form."""
    schema["enum"] = ["auto", *CRITERIA]


class Gate(Parameters):
    """Which utterances a larger model transcribes."""

    preset: Literal["bands", "guide", "everything", "budget"] = Field(
        "bands",
        title="Preset",
        description="bands: accept references with little doubt, reject hopeless ones, escalate the rest to the large "
        "model; the limits of doubt are found by planted errors, after the small model has transcribed everything. "
        "Without evidence, accept up to WER 0.25, reject above 1.05. guide: escalate up to WER 0.5, reject the rest; "
        "everything: escalate all utterances; budget: escalate where the large model rescues most within its budget; "
        "the limits are found on a sample, after the small model has transcribed everything",
    )
    by: str = Field(
        "auto",
        title="Criterion",
        description="What the gate compares. evidence: the doubt about the reference; wer: word error rate; "
        "confidence: the model's confidence; agreement: agreement with earlier models (after the small model, as with "
        "auto); auto: evidence with preset bands and a model that scores references, otherwise WER if there is a "
        "reference, and confidence if not",
        json_schema_extra=list_criteria,
    )
    budget: Share | None = Field(
        None,
        title="Budget",
        description="For preset budget: time that the large model may take, as a share (0 to 1) of what it would take "
        f"for all utterances. Default: {DEFAULT_BUDGET}",
    )
    escalate: PositiveShare | None = Field(
        None,
        title="Escalate at most",
        description="Largest share (0 to 1) of the audio that the large model transcribes, where planted errors show "
        "the limits. Default: five times filter.lose, between 0.05 and 0.1",
    )
    rules: tuple[str, ...] = Field(
        (),
        title="Escalating rules",
        description="Conditions like those of filter.rules. What the gate after the small model would accept is "
        "escalated if it violates one of them, e.g. 'unique_words(small_pred_text) > 0.4' or 'lang == text_lang'",
    )
    accept_doubt: NonNegative | None = Field(
        None,
        title="Accept up to doubt",
        description="Highest doubt about the reference at which the small model's result is accepted. Default: as "
        "planted errors show",
    )
    reject_doubt: NonNegative | None = Field(
        None,
        title="Reject above doubt",
        description="Doubt about the reference above which an utterance is dropped without running the large model. "
        "Default: found by planted errors",
    )
    accept: ErrorRate | None = Field(
        None,
        title="Accept up to WER",
        description="Highest WER (0.25 = 25 %) at which the small model's result is accepted. Default: the preset's, "
        "or the filter's highest WER if that is lower",
    )
    reject: ErrorRate | None = Field(
        None,
        title="Reject above WER",
        description="WER (1 = 100 %) above which an utterance is dropped without running the large model. Default: "
        "the preset's",
    )
    accept_confidence: Share | None = Field(
        None,
        title="Accept from confidence",
        description="Lowest confidence (0 to 1) at which a result is accepted, if the gate compares confidence. "
        "Typical values differ from model to model. Default: accept none",
    )
    reject_confidence: Share | None = Field(
        None,
        title="Reject below confidence",
        description="Confidence (0 to 1) below which an utterance is dropped, if the gate compares confidence. "
        "Default: reject none",
    )
    accept_agreement: Share | None = Field(
        None,
        title="Accept from agreement",
        description="Lowest agreement (0 to 1) with earlier models at which the latest result is accepted, if the gate "
        "compares agreement. Default: 1",
    )
    audit: Share = Field(
        0.005,
        title="Audit",
        description="Share (0 to 1) of the accepted and rejected utterances that the large model transcribes as well, "
        "so that the report can estimate what the gate loses. The audit changes no decision",
    )

    @field_validator("by")
    @classmethod
    def known_criterion(cls, name: str) -> str:
        if name not in ("auto", *CRITERIA):
            raise ValueError(f"unknown criterion {name!r}: expected auto, {', '.join(CRITERIA)}")
        return name

    @field_validator("rules")
    @classmethod
    def check_rules(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse(text)
        return texts

    @property
    def chooses_doubt(self) -> bool:
        """Whether it may go by the doubt about references, with limits that planted errors show."""
        return self.preset in ("bands", "everything") and self.by in ("auto", "evidence")

    @property
    def budget_share(self) -> float:
        """The budget, or its default."""
        return DEFAULT_BUDGET if self.budget is None else self.budget
