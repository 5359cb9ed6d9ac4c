"""Rules as one writes them: what a kept utterance must satisfy, and the name of the reason if it does not.

    cer <= 0.3                        a column (ours, or a field of the manifest), an operator and a value
    duration in 1..20                 a range
    lang == "en"                      a text in quotes
    lang == text_lang                 another column
    longest_word(pred_text) < 25      a measure of a text (see `measures`)
    NOISY: dnsmos >= 3                with a name of its own

A value that is unknown breaks every rule but !=.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from winnow.errors import RuleError

WHOLE_RUN = {"copies", "occurrence"}
"""Measures of references that are known once the manifest was read to its end."""

OPERATORS = {"lt": "<", "le": "<=", "eq": "==", "ne": "!=", "ge": ">=", "gt": ">", "=": "=="}
"""NeMo's names of the operators, which may be used as well."""

ORDERING = ("<", "<=", ">", ">=")

RULE = re.compile(
    r"""\s* (?: (?P<name> [A-Z0-9_]+ ) \s* : (?!=) )?
        \s* (?: (?P<measure> [a-z_]+ ) \( \s*
                (?P<of> [^\s(),"]+ ) \s* (?: , \s* (?P<given> [^\s()",]+ | "[^"]*" ) \s* )? \)
              | (?P<column> [^\s()<>=!,":]+ ) )
        \s* (?P<operator> <= | >= | == | != | < | > | = | (?: lt | le | eq | ne | ge | gt | in ) (?= \s ) )
        \s* (?P<value> .*? ) \s*""",
    re.VERBOSE,
)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
TEXT = re.compile(r'"[^"]*"')
COLUMN = re.compile(r'[^\s()<>=!,":]+')


class Term(NamedTuple):
    """What a rule is about: a column, or a measure of one (with an argument, where the measure takes one)."""

    column: str
    measure: str | None = None
    given: str | None = None

    def __str__(self) -> str:
        if self.measure is None:
            return self.column
        return f"{self.measure}({self.column}{'' if self.given is None else f', {quote(self.given)}'})"

    @property
    def name(self) -> str:
        """As it stands in a reason; that of a measure names the column only if it is not the reference."""
        words = self.column
        if self.measure is not None:
            words = self.measure if words == "text" else f"{words.removesuffix('_text')}_{self.measure}"
        return re.sub(r"[^A-Z0-9]", "_", words.upper())


Value = float | bool | str | Term | tuple[str, ...] | tuple[float, float]


@dataclass(frozen=True)
class Rule:
    """A term, an operator and a value; `str` gives a text that is the same rule again."""

    name: str
    term: Term
    operator: str
    value: Value

    @property
    def condition(self) -> str:
        return f"{self.term} {self.operator} {format_value(self.value)}"

    def __str__(self) -> str:
        return f"{self.name}: {self.condition}"


class Rules(BaseModel, frozen=True):
    """What a run's utterances are judged by: rules in the order in which they count, and the known phrases.

    `labels` are for rows without a reference, of which the reading becomes the label; empty: every row must have one.
    """

    rules: tuple[str, ...]
    labels: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()

    @property
    def given(self) -> list[Rule]:
        return [rule for text in self.rules for rule in parse(text)]

    @property
    def label_rules(self) -> list[Rule]:
        return [rule for text in self.labels for rule in parse(text)]

    @property
    def parsed(self) -> list[Rule]:
        """All of them, in the order of the verdicts."""
        return [*self.given, *self.label_rules]

    @property
    def needs_whole_run(self) -> bool:
        """Whether an utterance is compared with all others of the run."""
        return any(term.measure in WHOLE_RUN for term in terms(self.parsed))


def terms(rules: Iterable[Rule]) -> list[Term]:
    return [term for rule in rules for term in (rule.term, rule.value) if isinstance(term, Term)]


def parse(text: str) -> list[Rule]:
    """The rule in a text; of a range without a name, two, one for each end."""
    found = RULE.fullmatch(text)
    if found is None:
        raise RuleError(f"{text!r} is no rule: write a column, an operator and a value, such as cer <= 0.3")
    term = Term(found["column"]) if found["column"] else Term(found["of"], found["measure"], unquote(found["given"]))
    operator = OPERATORS.get(found["operator"], found["operator"])
    value = parse_value(found["value"], operator, text)
    if found["name"] is None and is_range(value):
        ends = ((">=", value[0]), ("<=", value[1]))
        return [Rule(reason_name(term, sign, limit), term, sign, limit) for sign, limit in ends]
    return [Rule(found["name"] or reason_name(term, operator, value), term, operator, value)]


def parse_value(text: str, operator: str, rule: str) -> Any:
    """What stands behind the operator."""
    if operator == "in":
        return parse_members(text, rule)
    if NUMBER.fullmatch(text):
        return float(text)
    literal = text in ("true", "false") or TEXT.fullmatch(text)
    if literal and operator in ORDERING:
        raise RuleError(f"{rule!r}: {operator} compares numbers, and {text} is none")
    if literal:
        return text == "true" if text in ("true", "false") else text[1:-1]
    if COLUMN.fullmatch(text):
        return Term(text)
    raise RuleError(f"{rule!r}: {text!r} is no number, no column, no true or false, and no text in double quotes")


def parse_members(text: str, rule: str) -> tuple[float, float] | tuple[str, ...]:
    """A range, or a list of texts."""
    low, dots, high = (part.strip() for part in text.partition(".."))
    if dots and NUMBER.fullmatch(low) and NUMBER.fullmatch(high) and float(low) <= float(high):
        return float(low), float(high)
    names = [name.strip() for name in text.split(",")]
    if dots or not all(COLUMN.fullmatch(name) or TEXT.fullmatch(name) for name in names):
        raise RuleError(
            f"{rule!r}: after in comes a range, the lower number first (1..20), or a list of texts (en, de)"
        )
    return tuple(str(unquote(name)) for name in names)


def reason_name(term: Term, operator: str, value: Value) -> str:
    """The name of the reason for rows that break the rule."""
    if value is True or value is False:
        return term.name if value is (operator == "!=") else f"NOT_{term.name}"
    endings = {"<": "ABOVE_MAX", "<=": "ABOVE_MAX", ">": "BELOW_MIN", ">=": "BELOW_MIN", "!=": "EXCLUDED"}
    return f"{term.name}_{endings.get(operator, 'NOT_LISTED' if operator == 'in' else 'DIFFERS')}"


def is_range(value: Value) -> bool:
    return isinstance(value, tuple) and not isinstance(value, Term) and not isinstance(value[0], str)


def format_value(value: Value) -> str:
    """A value as it stands in a rule."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return format_number(value)
        case str():
            return quote(value)
        case Term():
            return str(value)
        case (float() as low, float() as high):
            return f"{format_number(low)}..{format_number(high)}"
    return ", ".join(quote(str(name)) for name in value)


def format_number(number: float) -> str:
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def quote(text: str) -> str:
    return f'"{text}"'


def unquote(text: str | None) -> str | None:
    return text[1:-1] if text and text[0] == text[-1] == '"' else text
