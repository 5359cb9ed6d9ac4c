"""What decides: which utterances a larger model reads (the gate), and which of them are kept (the filter)."""

from collections.abc import Iterable
from math import inf, nextafter
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator

from winnow.parameters.options import Fraction, Parameters, Seconds, Share, default_of
from winnow.rules.presets import FILTERS, PresetName
from winnow.rules.rule import Rule, Term, parse


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
REJECTED_BY_GATE_RULE = 'GIVEN_UP: last_band != "reject"'
"""What a gate gives up is dropped, whatever the filter."""
NOTHING_HEARD_RULE = "NOTHING_HEARD: words(pred_text) > 0"
"""Without a reference, silence is no label."""


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


class Filter(Parameters):
    """What a kept utterance must satisfy: the preset's rules, and in place of those with the same name or beside them
    the limits and rules that are given here."""

    LIMITS: ClassVar = {
        "min_duration": "duration >= {}",
        "max_duration": "duration <= {}",
        "min_char_rate": "char_rate >= {}",
        "max_char_rate": "char_rate <= {}",
        "max_wer": "wer <= {}",
    }
    LABELS: ClassVar = {"min_confidence": "confidence >= {}", "min_agreement": "agreement >= {}"}

    preset: PresetName = Field(
        "winnow",
        title="Preset",
        description="Rules of a published recipe (`winnow presets` shows them); winnow: WER at most 0.25; none: only "
        "what is given here",
    )
    rules: tuple[str, ...] = Field(
        (),
        title="Rules",
        description="What a kept utterance must satisfy, such as 'cer <= 0.3', 'duration in 1..20' or "
        "'lang == \"en\"'; a rule takes the place of the preset's with the same name",
    )
    max_wer: Fraction | None = Field(
        None,
        title="Highest WER",
        description="WER (fraction) of the reading that counts: the large model's where it read, else the small one's; "
        "empty: the preset's",
    )
    min_duration: Seconds | None = Field(
        None, title="Shortest", description="Seconds of audio at least; empty: the preset's"
    )
    max_duration: Seconds | None = Field(
        None, title="Longest", description="Seconds of audio at most; empty: the preset's"
    )
    min_char_rate: Fraction | None = Field(
        None,
        title="Slowest",
        description="Characters of the reference a second at least; empty: the preset's",
    )
    max_char_rate: Seconds | None = Field(
        None,
        title="Fastest",
        description="Characters of the reference a second at most; empty: the preset's",
    )
    min_confidence: Share | None = Field(
        None,
        title="Lowest confidence",
        description="Of an utterance without a reference: confidence (0 to 1) of the reading that counts, at least",
    )
    min_agreement: Share | None = Field(
        0.8,
        title="Lowest agreement",
        description="Of an utterance without a reference, where several models read it: mean share (0 to 1) of them "
        "that have what the reading that counts has, at least",
    )
    phrases: Path | None = Field(
        None,
        title="Phrases",
        description="File with what models read where nothing is said, a phrase a line, for rules with known_phrase",
    )

    @field_validator("phrases")
    @classmethod
    def found_from_anywhere(cls, path: Path | None) -> Path | None:
        return path and path.absolute()

    @field_validator("rules")
    @classmethod
    def understood(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        names = [rule.name for text in texts for rule in parse(text)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are named {twice[0]}: give one of them another name (NAME: rule)")
        return texts

    @property
    def in_force(self) -> list[Rule]:
        """The rules by which utterances are judged, in the order in which they count."""
        limits = rules_by_name(self.limits(self.LIMITS))
        preset = {rule.name: rule for rule in self.preset_rules}
        return list(
            (rules_by_name([REJECTED_BY_GATE_RULE]) | limits | preset | limits | rules_by_name(self.rules)).values()
        )

    @property
    def of_labels(self) -> list[Rule]:
        """The rules for utterances without a reference, beside those in force that need none."""
        return list(rules_by_name([NOTHING_HEARD_RULE, *self.limits(self.LABELS)]).values())

    @property
    def asked_of_labels(self) -> list[str]:
        """Which limits are given that only an utterance without a reference has."""
        return [name for name in self.LABELS if getattr(self, name) != default_of(self, name)]

    def limits(self, conditions: dict[str, str]) -> list[str]:
        return [text.format(value) for name, text in conditions.items() if (value := getattr(self, name)) is not None]

    @property
    def preset_rules(self) -> list[Rule]:
        return FILTERS[self.preset].rules

    @property
    def wer_limit(self) -> float | None:
        """The highest WER of a reading that may be kept; nothing if no rule limits it."""
        limits = [limit for rule in self.in_force if (limit := highest_wer_allowed(rule)) is not None]
        return min(limits, default=None)


def highest_wer_allowed(rule: Rule) -> float | None:
    """The highest WER that keeps the rule; nothing if it does not limit it."""
    match rule.operator, rule.value:
        case _ if rule.term != Term("wer"):
            return None
        case "<=", float(limit):
            return limit
        case "<", float(limit):
            return nextafter(limit, -inf)
        case "in", (float(), float(limit)):
            return limit
    return None


def rules_by_name(rules: Iterable[str]) -> dict[str, Rule]:
    return {rule.name: rule for text in rules for rule in parse(text)}
