"""Rules: a condition that a kept utterance must satisfy, and the name of the reason if it does not.

    cer <= 0.3                        a column (Winnow's, or a field of the manifest), an operator and a value
    duration in 1..20                 a range
    lang == "en"                      a text in quotes
    lang == text_lang                 another column
    longest_word(pred_text) < 25      a statistic of a text, see `winnow.text.text_stats`
    NOISY: dnsmos >= 3                a rule with a name

An unknown value violates every rule but those with !=.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from winnow.errors import RuleError

WHOLE_RUN = {"copies", "occurrence"}
"""Statistics of references that are known only after the whole manifest was read."""

OPERATORS = {"lt": "<", "le": "<=", "eq": "==", "ne": "!=", "ge": ">=", "gt": ">", "=": "=="}
"""Other spellings of the operators, most of them NeMo's."""

ORDERING = ("<", "<=", ">", ">=")

RULE = re.compile(
    r"""\s* (?: (?P<name> [A-Z0-9_]+ ) \s* : (?!=) )?
        \s* (?: (?P<stat> [a-z_]+ ) \( \s*
                (?P<of> [^\s(),"]+ ) \s* (?: , \s* (?P<argument> [^\s()",]+ | "[^"]*" ) \s* )? \)
              | (?P<column> [^\s()<>=!,":]+ ) )
        \s* (?P<operator> <= | >= | == | != | < | > | = | (?: lt | le | eq | ne | ge | gt | in ) (?= \s ) )
        \s* (?P<value> .*? ) \s*""",
    re.VERBOSE,
)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
TEXT = re.compile(r'"[^"]*"')
COLUMN = re.compile(r'[^\s()<>=!,":]+')


class Term(NamedTuple):
    """What a rule compares: a column, or a statistic of a text column, some of which take an argument."""

    column: str
    stat: str | None = None
    argument: str | None = None

    def __str__(self) -> str:
        if self.stat is None:
            return self.column
        return f"{self.stat}({self.column}{'' if self.argument is None else f', {quote(self.argument)}'})"

    @property
    def name(self) -> str:
        """The term as it appears in a reason; a statistic names its column unless that is the reference."""
        words = self.column
        if self.stat is not None:
            words = self.stat if words == "text" else f"{words.removesuffix('_text')}_{self.stat}"
        return re.sub(r"[^A-Z0-9]", "_", words.upper())


Value = float | bool | str | Term | tuple[str, ...] | tuple[float, float]


@dataclass(frozen=True)
class Rule:
    """A term, an operator and a value; `parse(str(rule))` gives the same rule."""

    name: str
    term: Term
    operator: str
    value: Value

    @property
    def condition(self) -> str:
        """The rule without its name."""
        return f"{self.term} {self.operator} {format_value(self.value)}"

    def __str__(self) -> str:
        return f"{self.name}: {self.condition}"


class Rules(BaseModel, frozen=True):
    """The rules of a run, in their order, and the phrases that `known_phrase` compares.

    `unreferenced` are additional rules for utterances without a reference; if there are none, every utterance must have
    a reference.
    """

    rules: tuple[str, ...]
    unreferenced: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()

    @property
    def general_rules(self) -> list[Rule]:
        """The rules for all utterances; those that compare with a reference apply only if there is one."""
        return [rule for text in self.rules for rule in parse(text)]

    @property
    def unreferenced_rules(self) -> list[Rule]:
        """The additional rules for utterances without a reference."""
        return [rule for text in self.unreferenced for rule in parse(text)]

    @property
    def all_rules(self) -> list[Rule]:
        """All rules, in the order of the columns that `evaluate` returns."""
        return [*self.general_rules, *self.unreferenced_rules]

    @property
    def needs_whole_run(self) -> bool:
        """Whether a rule compares an utterance with all others of the run."""
        return any(term.stat in WHOLE_RUN for term in terms(self.all_rules))


def terms(rules: Iterable[Rule]) -> list[Term]:
    """List the terms on either side of the rules."""
    return [term for rule in rules for term in (rule.term, rule.value) if isinstance(term, Term)]


def parse(text: str) -> list[Rule]:
    """Parse a rule. A range without a name gives two rules, one for each end. Raises RuleError."""
    match = RULE.fullmatch(text)
    if match is None:
        raise RuleError(f"invalid rule {text!r}: expected COLUMN OPERATOR VALUE, e.g. cer <= 0.3")
    term = Term(match["column"]) if match["column"] else Term(match["of"], match["stat"], unquote(match["argument"]))
    operator = OPERATORS.get(match["operator"], match["operator"])
    value = parse_value(match["value"], operator, text)
    if match["name"] is None and is_range(value):
        ends = ((">=", value[0]), ("<=", value[1]))
        return [Rule(reason_name(term, sign, limit), term, sign, limit) for sign, limit in ends]
    return [Rule(match["name"] or reason_name(term, operator, value), term, operator, value)]


def parse_value(text: str, operator: str, rule: str) -> Any:
    """Parse the value of a rule."""
    if operator == "in":
        return parse_members(text, rule)
    if NUMBER.fullmatch(text):
        return float(text)
    literal = text in ("true", "false") or TEXT.fullmatch(text)
    if literal and operator in ORDERING:
        raise RuleError(f"invalid rule {rule!r}: {operator} needs a number, got {text}")
    if literal:
        return text == "true" if text in ("true", "false") else text[1:-1]
    if COLUMN.fullmatch(text):
        return Term(text)
    raise RuleError(
        f"invalid rule {rule!r}: expected a number, a column, true, false or a text in double quotes, got {text!r}"
    )


def parse_members(text: str, rule: str) -> tuple[float, float] | tuple[str, ...]:
    """Parse a range or a list of texts."""
    low, dots, high = (part.strip() for part in text.partition(".."))
    if dots and NUMBER.fullmatch(low) and NUMBER.fullmatch(high) and float(low) <= float(high):
        return float(low), float(high)
    names = [name.strip() for name in text.split(",")]
    if dots or not all(COLUMN.fullmatch(name) or TEXT.fullmatch(name) for name in names):
        raise RuleError(
            f"invalid rule {rule!r}: expected a range, lower number first (1..20), or a list of texts (en, de) after in"
        )
    return tuple(str(unquote(name)) for name in names)


def reason_name(term: Term, operator: str, value: Value) -> str:
    """Name the reason for rows that violate the rule."""
    if value is True or value is False:
        return term.name if value is (operator == "!=") else f"NOT_{term.name}"
    endings = {"<": "ABOVE_MAX", "<=": "ABOVE_MAX", ">": "BELOW_MIN", ">=": "BELOW_MIN", "!=": "EXCLUDED"}
    return f"{term.name}_{endings.get(operator, 'NOT_LISTED' if operator == 'in' else 'DIFFERS')}"


def is_range(value: Value) -> bool:
    return isinstance(value, tuple) and not isinstance(value, Term) and not isinstance(value[0], str)


def format_value(value: Value) -> str:
    """Write a value as in a rule."""
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
