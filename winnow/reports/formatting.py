"""Numbers, percentages, sizes, tables and untrusted text as markdown."""

import re
import string

from winnow.printable import printable

MAX_CHARACTERS = 200  # of a text that is shown
ESCAPED = {c: f"\\{c}" for c in string.punctuation if c not in ".,'"} | {c: f"&#{ord(c)};" for c in "|\\"}
"""Punctuation as text. A | ends a table's cell whatever precedes it; Prefect's first UI shows entities literally."""

AUTOLINKED = re.compile(r"[a-z]:(?=//)|www(?=\.)|@", re.IGNORECASE)  # what viewers turn into links without markup
WORD_JOINER = "\u2060"  # invisible


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in GitHub's markdown; cells must be escaped already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape_markdown(text: str) -> str:
    """Return the first 200 characters of a text so that markdown and HTML show them literally, without any link."""
    words = printable(" ".join(text.split()))
    words = words if len(words) <= MAX_CHARACTERS else f"{words[:MAX_CHARACTERS]} \u2026"
    words = AUTOLINKED.sub(f"\\g<0>{WORD_JOINER}", words)
    return "".join(ESCAPED.get(c, c) for c in words)


def code_span(name: str) -> str:
    """Return a name as code, literally and without any backslash; one that would end the code is escaped as a text."""
    plain = name.isprintable() and len(name) <= MAX_CHARACTERS and not set(name) & set("`|<>&\\")
    return f"`{name}`" if plain and name.strip() == name and not AUTOLINKED.search(name) else escape_markdown(name)


def format_number(value: float | None, digits: int) -> str:
    """Return a number with a fixed number of decimals, or nothing for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def format_hours(hours: float) -> str:
    """Return hours without their unit; below one, as exactly as tables show them."""
    return f"{hours:,.{3 if hours < 1 else 2}f}"


def format_amount(amount: float) -> str:
    """Return an amount of money in no particular currency; below one, with more digits."""
    if 0 < amount < 0.0001:
        return "under 0.0001"
    return f"{amount:,.{4 if amount < 1 else 2}f}"


def format_percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage, or nothing for None."""
    return "" if fraction is None else f"{fraction:.{digits}%}"


def format_share(part: float, whole: float) -> str:
    """Return a part of a whole as a percentage, or nothing if the whole is empty."""
    return format_percent(part / whole) if whole else ""


def format_gibibytes(size: float | None, digits: int = 1) -> str:
    """Return a number of bytes in GiB, or nothing for None."""
    return "" if size is None else f"{size / 2**30:,.{digits}f} GiB"
