"""Numbers, texts and lists in rules: how they are written, and how they are written back."""

import re

from winnow.errors import RuleError
from winnow.text.number_form import finite_number

QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“"}
"""The quotes that may enclose a text."""

BRACKETS = {"[": "]", "(": ")", "{": "}"}
"""The brackets that may enclose a list."""

TEXT = "|".join(f"{first}[^{last}\n]*{last}" for first, last in QUOTES.items())
WORD = r"[\w.+@#-]+(?:['’][\w.+@#-]+)*"

QUOTED = re.compile(TEXT)
MEMBER = re.compile(rf"\s*(?P<member>{TEXT}|{WORD})\s*")

LIST_EXPECTED = "expected a range, lower number first (1..20), or a list of texts (en, de) after in"


NULLS = ("null", "none")

UNKNOWN = (
    "an unknown value cannot be compared: it violates every rule but those with != and not in; a text needs quotes"
)


def invalid(rule: str, reason: str) -> RuleError:
    """Return the error for a rule that cannot be understood."""
    return RuleError(f"invalid rule {rule!r}: {reason}")


def parse_number(text: str, rule: str) -> float | None:
    """Return a number; None if the text is not one. Raises RuleError for one that is not finite or oddly written."""
    if (number := finite_number(text)) is not None:
        return number
    try:
        float(text)
    except ValueError:
        return None
    raise invalid(rule, f"expected a finite number in digits, got {text}; a text needs double quotes")


def parse_list(text: str, rule: str) -> tuple[float, float] | tuple[str, ...]:
    """Parse what follows `in`: a range, or a list of texts, each with or without brackets."""
    inner, bracketed = without_brackets(text, rule)
    low, dots, high = (part.strip() for part in inner.partition(".."))
    if dots and not QUOTED.match(inner):
        ends = parse_number(low, rule), parse_number(high, rule)
        if ends[0] is None or ends[1] is None or ends[0] > ends[1]:
            raise invalid(rule, LIST_EXPECTED)
        return ends[0], ends[1]
    return parse_members(inner, rule, allow_last_comma=bracketed)


def without_brackets(text: str, rule: str) -> tuple[str, bool]:
    """Return what is between the brackets of a list, and whether there were any. Raises RuleError for one alone."""
    text = text.strip()
    first, last = text[:1], text[-1:]
    if first in BRACKETS:
        if len(text) < 2 or last != BRACKETS[first]:
            raise invalid(rule, f"unbalanced brackets: {first} without {BRACKETS[first]} at the end")
        return text[1:-1].strip(), True
    if last in BRACKETS.values():
        raise invalid(rule, f"unbalanced brackets: {last} without an opening one")
    return text, False


def parse_members(text: str, rule: str, allow_last_comma: bool) -> tuple[str, ...]:
    """Parse texts that are separated by commas; only a text of letters, digits and . + @ # - needs no quotes."""
    if not text:
        raise invalid(rule, f"the list is empty; {LIST_EXPECTED}")
    members, at = [], 0
    while match := MEMBER.match(text, at):
        if match["member"].lower() in NULLS:
            raise invalid(rule, UNKNOWN)
        members.append(unquote(match["member"]))
        at = match.end()
        if at == len(text):
            return tuple(members)
        if text[at] != ",":
            break
        at += 1
        if allow_last_comma and not text[at:].strip():
            return tuple(members)
    rest = text[at:].strip()
    raise invalid(rule, f"{LIST_EXPECTED}; put a text in double quotes" + (f": {rest:.40}" if rest else ""))


def format_number(number: float) -> str:
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def quote(text: str) -> str:
    """Put a text in quotes that it does not contain."""
    first, last = next((first, last) for first, last in QUOTES.items() if last not in text)
    return f"{first}{text}{last}"


def unquote(text: str) -> str:
    """Remove the quotes around a text, if there are any."""
    return text[1:-1] if QUOTED.fullmatch(text) else text
