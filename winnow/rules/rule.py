"""Rules: a condition that a kept utterance must satisfy, and the name of the reason if it does not.

    cer <= 0.3                        a column (Winnow's, or a field of the manifest), an operator and a value
    duration in 1..20                 a range
    lang == "en"                      a text in quotes
    lang in [en, de]                  a list, with or without brackets; also not in
    lang == text_lang                 another column
    longest_word(pred_text) < 25      a statistic of a text, see `winnow.text.text_stats`
    NOISY: dnsmos >= 3                a rule with a name

An unknown value violates every rule but those with != and not in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from winnow.rules.literals import (
    BRACKETS,
    NULLS,
    QUOTED,
    TEXT,
    UNKNOWN,
    format_number,
    invalid,
    parse_list,
    parse_number,
    quote,
    unquote,
)
from winnow.text.alphabets import ALPHABETS
from winnow.text.number_form import finite_number

WHOLE_RUN = {"copies", "occurrence"}
"""Statistics of references that are known only after the whole manifest was read."""

OPERATORS = {
    **{"lt": "<", "le": "<=", "eq": "==", "ne": "!=", "ge": ">=", "gt": ">"},  # NeMo's names
    **{"=": "==", "<>": "!=", "≤": "<=", "≥": ">=", "≠": "!="},
}
"""Other spellings of the operators."""

ORDERING = ("<", "<=", ">", ">=")
LISTING = ("in", "not in")

RULE = re.compile(
    rf"""(?: (?P<name> [A-Z0-9_]++ ) \s*+ : (?!=) )?
        \s*+ (?: (?P<stat> [a-z_]+ ) \( \s*+
                (?P<of> [^\s(),"]++ ) \s*+ (?: , \s*+ (?P<argument> {TEXT} | [^\s()",]++ ) \s*+ )? \)
              | (?P<column> [^\s()<>=!,":≤≥≠]++ ) )
        \s*+ (?P<operator> <= | >= | == | != | <> | < | > | = | ≤ | ≥ | ≠
              | (?<=[\s)]) (?i: (?: lt | le | eq | ne | ge | gt ) (?= \s )
                                    | (?: not \s++ )? in (?= [\s(\[{{"'“‘«„] ) ) )
        \s*+ (?P<value> .* )""",
    re.VERBOSE,
)
"""A rule without white space around it; no quantifier gives back white space, of which there may be much."""

COLUMN = re.compile(r"""[^\s()<>=!,":≤≥≠'`“”‘«»„\[\]{}%;|]+""")
NAMED = re.compile(r'[^\s:"]++\s*+:(?!=)')
JOINED = re.compile(r"\s(and|or|&&?|\|\|?)\s", re.IGNORECASE)


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

    `without_evidence` are rules for references that no model can score. `unreferenced` are additional rules for
    utterances without a reference; if there are none, every utterance must have a reference. `doubt_limits` are the
    highest doubts of references that the audio supports, by the role of the model that decides; languages with limits
    of their own have them as well (`small for de`).
    """

    rules: tuple[str, ...]
    without_evidence: tuple[str, ...] = ()
    unreferenced: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    doubt_limits: dict[str, float] = {}

    def with_limits(self, limits: dict[str, float]) -> "Rules":
        """Return the rules with these limits of doubt."""
        return self.model_copy(update={"doubt_limits": limits})

    @property
    def general_rules(self) -> list[Rule]:
        """The rules for all utterances; those that compare with a reference apply only if there is one."""
        return [rule for text in self.rules for rule in parse(text)]

    @property
    def rules_without_evidence(self) -> list[Rule]:
        """The rules for references without evidence."""
        return [rule for text in self.without_evidence for rule in parse(text)]

    @property
    def unreferenced_rules(self) -> list[Rule]:
        """The additional rules for utterances without a reference."""
        return [rule for text in self.unreferenced for rule in parse(text)]

    @property
    def all_rules(self) -> list[Rule]:
        """All rules, in the order of the columns that `evaluate` returns."""
        return [*self.general_rules, *self.rules_without_evidence, *self.unreferenced_rules]

    @property
    def needs_whole_run(self) -> bool:
        """Whether a rule compares an utterance with all others of the run."""
        return any(term.stat in WHOLE_RUN for term in terms(self.all_rules))


def terms(rules: Iterable[Rule]) -> list[Term]:
    """List the terms on either side of the rules."""
    return [term for rule in rules for term in (rule.term, rule.value) if isinstance(term, Term)]


def parse(text: str) -> list[Rule]:
    """Parse a rule. A range without a name gives two rules, one for each end. Raises RuleError."""
    text = text.strip()
    match = RULE.fullmatch(text)
    if match is None:
        hint = "; a name has only capital letters, digits and _" if NAMED.match(text) else ""
        raise invalid(text, f"expected COLUMN OPERATOR VALUE, e.g. cer <= 0.3{hint}")
    if match["column"] and parse_number(match["column"], text) is not None:
        raise invalid(text, "write the column on the left and the number on the right, e.g. cer <= 0.3")
    term = Term(match["column"]) if match["column"] else parse_stat(match, text)
    operator = " ".join(match["operator"].lower().split())
    operator = OPERATORS.get(operator, operator)
    value = parse_value(match["value"], operator, text)
    if match["name"] is None and operator == "in" and is_range(value):
        ends = ((">=", value[0]), ("<=", value[1]))
        return [Rule(reason_name(term, sign, limit), term, sign, limit) for sign, limit in ends]
    return [Rule(match["name"] or reason_name(term, operator, value), term, operator, value)]


def parse_stat(match: re.Match[str], rule: str) -> Term:
    """Return the statistic of a text; a language that is not known is not taken for characters."""
    argument = match["argument"]
    if match["stat"] == "charset" and argument and argument not in ALPHABETS and not QUOTED.fullmatch(argument):
        languages = ", ".join(ALPHABETS)
        raise invalid(rule, f"unknown language {argument}: expected {languages}, or characters in double quotes")
    return Term(match["of"], match["stat"], argument and unquote(argument))


def parse_value(text: str, operator: str, rule: str) -> Any:
    """Parse the value of a rule."""
    if operator in LISTING:
        return parse_list(text, rule)
    if (number := parse_number(text, rule)) is not None:
        return number
    literal = text.lower() in ("true", "false") or QUOTED.fullmatch(text)
    if literal and operator in ORDERING:
        raise invalid(rule, f"{operator} needs a number, got {text}")
    if literal:
        return text.lower() == "true" if text.lower() in ("true", "false") else unquote(text)
    if text.lower() in NULLS:
        raise invalid(rule, UNKNOWN)
    if COLUMN.fullmatch(text) and not text.lstrip("+-.")[:1].isnumeric():
        return Term(text)
    raise invalid(
        rule,
        f"expected a number, a column, true, false or a text in double quotes, got {text!r}{hint_for(text)}",
    )


def hint_for(text: str) -> str:
    """Say what may have been meant by the value of a rule that cannot be understood."""
    if text.endswith("%") and finite_number(text[:-1].strip()) is not None:
        return f"; a percentage is written as a fraction: {float(text[:-1]) / 100:g}"
    if JOINED.search(text):
        return "; write each condition as a rule of its own"
    return "; a list needs the operator in" if text[:1] in BRACKETS else ""


def reason_name(term: Term, operator: str, value: Value) -> str:
    """Name the reason for rows that violate the rule."""
    if value is True or value is False:
        return term.name if value is (operator == "!=") else f"NOT_{term.name}"
    endings = {"<": "ABOVE_MAX", "<=": "ABOVE_MAX", ">": "BELOW_MIN", ">=": "BELOW_MIN", "==": "DIFFERS"}
    return f"{term.name}_{(endings | {'in': 'NOT_LISTED'}).get(operator, 'EXCLUDED')}"


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
