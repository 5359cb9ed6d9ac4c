"""The criteria by which a gate can judge a hypothesis, each declared in one place.

To add one, add an entry to `CRITERIA`. Its name becomes a value of `gate.by`; its limits are the options of `Gate` that
the entry names or, without them, `default_accept` and `default_reject`. Bands, checks of the options and the report
follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from pydantic import BaseModel

from winnow.roles import Role, is_larger
from winnow.text.languages import name_for, split_by_language


@dataclass(frozen=True)
class GateLimits:
    """The limits of the bands: accept at `accept` or better, reject if worse than `reject`; None: never."""

    accept: float | None = None
    reject: float | None = None


@dataclass(frozen=True)
class Criterion:
    """A measure of a hypothesis that a gate compares with limits.

    `column` is the column that holds it, after the role (`small_wer`); where that is null, `unknown` is assumed.
    `accept` and `reject` name the options of `Gate` that set its limits, `filter` the property of `Filter` with the
    limit of what is kept in the end: gates after larger models accept what reaches it.
    """

    label: str
    column: str
    unknown: float
    lower_is_better: bool = False
    needs_reference: bool = False
    needs_earlier_model: bool = False
    accept: str | None = None
    reject: str | None = None
    default_accept: float | None = None
    default_reject: float | None = None
    filter: str | None = None

    def cost(self, value: float) -> float:
        """Return a value of this criterion such that lower is better."""
        return value if self.lower_is_better else -value

    def from_cost(self, cost: float) -> float:
        """Return the value that has this cost."""
        return cost if self.lower_is_better else -cost + 0.0  # never -0.0

    def describe(self, limits: GateLimits) -> str:
        """Describe the limits in words for the report."""
        best, worst = ("up to {:.3g}", "above {:.3g}") if self.lower_is_better else ("from {:.3g}", "below {:.3g}")
        accept = "nothing" if limits.accept is None else best.format(limits.accept)
        reject = "nothing" if limits.reject is None else worst.format(limits.reject)
        return f"{self.label}: accept {accept}, reject {reject}, escalate the rest"


CRITERIA: dict[str, Criterion] = {
    "evidence": Criterion(
        label="doubt",
        column="doubt",
        unknown=inf,
        lower_is_better=True,
        needs_reference=True,
        accept="accept_doubt",
        reject="reject_doubt",
        filter="max_doubt",
    ),
    "wer": Criterion(
        label="WER",
        column="wer",
        unknown=1.0,
        lower_is_better=True,
        needs_reference=True,
        accept="accept",
        reject="reject",
        filter="max_kept_wer",
    ),
    "confidence": Criterion(
        label="confidence",
        column="confidence",
        unknown=0.0,
        accept="accept_confidence",
        reject="reject_confidence",
        filter="min_confidence",
    ),
    "agreement": Criterion(
        label="agreement",
        column="agreement",
        unknown=0.0,
        needs_earlier_model=True,
        accept="accept_agreement",
        default_accept=1.0,
    ),
}
"""Every criterion by its name."""

AUTO = ("wer", "confidence")
"""What `auto` compares: the first of these that is known of an utterance."""

BY_EVIDENCE = ("evidence", *AUTO)
"""What the gates of a run compare whose limits are found by planted errors."""


def criteria_for(by: str, role: Role) -> list[str]:
    """Name the criteria of the gate after this model. An utterance is judged by the first one known of it."""
    if by == "evidence":
        return list(BY_EVIDENCE)
    if by == "auto" or (CRITERIA[by].needs_earlier_model and not is_larger(role)):
        return list(AUTO)
    return [by]


class Gates(BaseModel, frozen=True):
    """What a gate compares, as it is recorded: `by` as in `gate.by`, the limits of each criterion, and the audit.

    Languages with limits of their own have them under names of their own (`evidence for de`). `audit` is the share
    (0 to 1) of the accepted and rejected utterances that the large model transcribes as well. What would be accepted
    but violates one of `rules` is escalated.
    """

    by: str
    limits: dict[str, GateLimits]
    audit: float
    rules: tuple[str, ...] = ()

    def limits_of(self, name: str) -> dict[str | None, GateLimits]:
        """Return the limits of a criterion by language, under None those of all others."""
        return split_by_language(self.limits)[name]

    def with_limits(self, name: str, limits: Mapping[str | None, GateLimits]) -> "Gates":
        """Return the gates with these limits of a criterion by language, under None those of all others."""
        named = {name_for(name, language): own for language, own in limits.items()}
        return self.model_copy(update={"limits": self.limits | named})
