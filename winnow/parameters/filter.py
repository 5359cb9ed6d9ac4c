"""Which utterances are kept: the filter."""

from collections.abc import Iterable
from math import inf, nextafter
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from winnow.parameters.settings import ErrorRate, NonNegative, Parameters, PositiveShare, Seconds, Share, default_of
from winnow.rules.labels import KNOWN_PHRASE_RULE, LABEL_RULES, NOTHING_HEARD_RULE, SHARED_WORDS_RULE, LabelPreset
from winnow.rules.presets import FILTERS, PresetName
from winnow.rules.rule import Rule, Term, parse

REJECTED_BY_GATE_RULE = 'REJECTED_BY_GATE: last_band != "reject"'
"""What a gate rejects is dropped, whatever the filter."""

DOUBTFUL_RULE = "DOUBTFUL: supported != false"
"""What replaces the limit of WER where there is evidence."""

DEFAULT_LOSE = 0.02


class Filter(Parameters):
    """Which utterances are kept: the rules of a preset, with the limits and rules given here added or in their place.

    A rule replaces the preset's rule of the same name, and any for utterances without a reference but NOTHING_HEARD.
    """

    NOT_COMPARED: ClassVar = frozenset({"phrases"})  # the digest of the phrases is compared

    LIMITS: ClassVar = {
        "min_duration": "duration >= {}",
        "max_duration": "duration <= {}",
        "min_char_rate": "char_rate >= {}",
        "max_char_rate": "char_rate <= {}",
        "max_wer": "wer <= {}",
    }
    UNREFERENCED_LIMITS: ClassVar = {"min_confidence": "confidence >= {}", "min_agreement": "agreement >= {}"}

    preset: PresetName = Field(
        "winnow",
        title="Preset",
        description="Rules of a published recipe, as `winnow presets` lists them. winnow: references that the audio "
        "supports, or with a WER up to 0.25 where a model cannot tell; none: only the rules given here",
    )
    rules: tuple[str, ...] = Field(
        (),
        title="Rules",
        description="Conditions of a kept utterance, e.g. 'cer <= 0.3', 'duration in 1..20' or 'lang == \"en\"'. A "
        "rule replaces the preset's rule of the same name",
    )
    lose: PositiveShare | None = Field(
        None,
        title="Lose at most",
        description="For preset winnow: share (0 to 1) of the right references that may be dropped so that more wrong "
        f"ones are found; the limits of doubt follow from it by planted errors. Default: {DEFAULT_LOSE}",
    )
    max_doubt: NonNegative | None = Field(
        None,
        title="Highest doubt",
        description="For preset winnow: highest doubt about the reference by the model that decides. Default: found by "
        "planted errors",
    )
    max_wer: ErrorRate | None = Field(
        None,
        title="Highest WER",
        description="Highest WER (0.25 = 25 %) of the selected hypothesis: the large model's if it transcribed the "
        "utterance, else the small model's. Default: the preset's",
    )
    min_duration: Seconds | None = Field(
        None, title="Shortest audio", description="Shortest duration in seconds. Default: the preset's"
    )
    max_duration: Seconds | None = Field(
        None, title="Longest audio", description="Longest duration in seconds. Default: the preset's"
    )
    min_char_rate: NonNegative | None = Field(
        None,
        title="Slowest speech",
        description="Fewest characters of the reference per second of audio. Default: the preset's",
    )
    max_char_rate: Seconds | None = Field(
        None,
        title="Fastest speech",
        description="Most characters of the reference per second of audio. Default: the preset's",
    )
    min_confidence: Share | None = Field(
        None,
        title="Lowest confidence",
        description="Lowest confidence (0 to 1) of the selected hypothesis of an utterance without a reference. "
        "Default: no limit",
    )
    min_agreement: Share | None = Field(
        None,
        title="Lowest agreement",
        description="Lowest mean agreement (0 to 1) of the models on the selected hypothesis of an utterance without a "
        "reference, if several models transcribed it. Default: most models must have each of its words, i.e. both if "
        "there are two",
    )
    label_preset: LabelPreset = Field(
        "winnow",
        title="Label preset",
        description="Further rules for utterances without a reference, whose hypothesis becomes their text. winnow: "
        "drop silent audio, phrases of subtitles, repetitions, unknown tokens and impossible speech rates; none: only "
        "what has no words",
    )
    phrases: Path | None = Field(
        None,
        title="Phrases",
        description="Text file with phrases that models hallucinate in silence, one per line, for rules with "
        "known_phrase; an utterance without a reference is dropped if it is one of them. Default: none",
    )

    @field_validator("phrases")
    @classmethod
    def absolute_path(cls, path: Path | None) -> Path | None:
        return path and path.absolute()

    @field_validator("rules")
    @classmethod
    def check_rules(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        names = [rule.name for text in texts for rule in parse(text)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are named {repeated[0]}: give one of them another name (NAME: rule)")
        return texts

    @property
    def by_evidence(self) -> bool:
        """Whether references are kept by their doubt where it is known."""
        return self.preset == "winnow"

    @property
    def lose_share(self) -> float:
        """What may be lost, or its default."""
        return DEFAULT_LOSE if self.lose is None else self.lose

    @property
    def rules_without_evidence(self) -> list[Rule]:
        """The rules of the preset that hold only without evidence: its limit of WER, unless one is given."""
        given = rules_by_name([*self.limit_rules(self.LIMITS), *self.rules])
        return [rule for rule in self.preset_rules if rule.name not in given and rule.term == Term("wer")]

    @property
    def active_rules(self) -> list[Rule]:
        """The rules for all utterances, in their order."""
        limits = rules_by_name(self.limit_rules(self.LIMITS))
        preset = {rule.name: rule for rule in self.preset_rules}
        first = rules_by_name([REJECTED_BY_GATE_RULE])
        return list((first | limits | preset | limits | rules_by_name(self.rules) | first).values())

    @property
    def unreferenced_rules(self) -> list[Rule]:
        """The additional rules for utterances without a reference; one that the user replaces is left out."""
        known_phrase = [KNOWN_PHRASE_RULE] if self.phrases and self.label_preset != "none" else []
        shared_words = [SHARED_WORDS_RULE] if self.min_agreement is None else []
        limits = [*self.limit_rules(self.UNREFERENCED_LIMITS), *shared_words]
        rules = rules_by_name([*LABEL_RULES[self.label_preset], *known_phrase, *limits])
        replaced = rules_by_name(self.rules)
        kept = [rule for name, rule in rules.items() if name not in replaced]
        return [*rules_by_name([NOTHING_HEARD_RULE]).values(), *kept]

    @property
    def changed_unreferenced_limits(self) -> list[str]:
        """The options that are not at their defaults and concern only utterances without a reference."""
        names = (*self.UNREFERENCED_LIMITS, "label_preset")
        return [name for name in names if getattr(self, name) != default_of(self, name)]

    def limit_rules(self, conditions: dict[str, str]) -> list[str]:
        """Return the rules of these options, for those that are set."""
        return [text.format(value) for name, text in conditions.items() if (value := getattr(self, name)) is not None]

    @property
    def preset_rules(self) -> list[Rule]:
        """The rules of the preset."""
        return FILTERS[self.preset].rules

    @property
    def max_kept_wer(self) -> float | None:
        """The highest WER that all rules allow; None if no rule limits it."""
        limits = [limit for rule in self.active_rules if (limit := highest_wer_allowed(rule)) is not None]
        return min(limits, default=None)


def highest_wer_allowed(rule: Rule) -> float | None:
    """Return the highest WER that a rule allows; None if it does not limit it."""
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
    """Parse rules; a later one replaces an earlier one of the same name."""
    return {rule.name: rule for text in rules for rule in parse(text)}
