"""What a kept utterance must satisfy: the filter."""

from collections.abc import Iterable
from math import inf, nextafter
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from winnow.parameters.gate import REJECTED_BY_GATE_RULE
from winnow.parameters.settings import Fraction, Parameters, Seconds, Share, default_of
from winnow.rules.presets import FILTERS, PresetName
from winnow.rules.rule import Rule, Term, parse

NOTHING_HEARD_RULE = "NOTHING_HEARD: words(pred_text) > 0"
"""Without a reference, silence is no label."""


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
    def active_rules(self) -> list[Rule]:
        """The rules by which utterances are judged, in the order in which they count."""
        limits = rules_by_name(self.limits(self.LIMITS))
        preset = {rule.name: rule for rule in self.preset_rules}
        return list(
            (rules_by_name([REJECTED_BY_GATE_RULE]) | limits | preset | limits | rules_by_name(self.rules)).values()
        )

    @property
    def label_rules(self) -> list[Rule]:
        """The rules for utterances without a reference, beside those in force that need none."""
        return list(rules_by_name([NOTHING_HEARD_RULE, *self.limits(self.LABELS)]).values())

    @property
    def given_label_limits(self) -> list[str]:
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
        limits = [limit for rule in self.active_rules if (limit := highest_wer_allowed(rule)) is not None]
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
