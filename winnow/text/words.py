"""Split texts into words and characters, in scripts with and without spaces."""

import re
from functools import cache
from typing import Any

SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts that are written without spaces; each of their characters, with its marks, counts as a word."""

CHARACTER = rf"[{SPACELESS}]\p{{M}}*"
WORD = rf"{CHARACTER}|[^\s\x1c-\x1f\p{{Z}}{SPACELESS}]+"  # the separators at which `str.split` splits too

TOKEN = rf"(?:(?!\p{{Nd}}){CHARACTER}|(?:[^\s\p{{Z}}{SPACELESS}]|\p{{Nd}})+) ?"
"""The same, before digits are normalized: those of these scripts make up one number."""

SPACE_AFTER = rf"([{SPACELESS}]\p{{M}}*)\s+"
SPACE_BEFORE = rf"\s([{SPACELESS}])"
"""Spaces beside a character of a script without spaces, where white space is a single space."""


_EASTERN = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u19e0-\u19ff\u2e80-\uabff\uf900-\ufaff\ufe30-\uffef\U00010000-\U0010ffff]"
)
"""Blocks in which they lie, which take less time to find."""


@cache
def _compiled(pattern: str) -> Any:
    import regex

    return regex.compile(pattern)


def has_spaceless(text: str) -> bool:
    """Return whether a text has a character of a script without spaces."""
    return not text.isascii() and bool(_EASTERN.search(text) and _compiled(f"[{SPACELESS}]").search(text))


def split_words(text: str) -> list[str]:
    """Split a text at white space; in scripts without spaces, each character with its marks is a word."""
    if text.isascii() or not has_spaceless(text):
        return text.split()
    return list(_compiled(WORD).findall(text))


def split_tokens(text: str) -> list[str]:
    """Split a text as `split_words` does, each token with a space after it if it has one and is not the last."""
    if text.isascii() or not has_spaceless(text):
        tokens = text.split()
        return [*(f"{token} " for token in tokens[:-1]), *tokens[-1:]]
    return list(_compiled(TOKEN).findall(" ".join(text.split())))


def join_spaceless(text: str) -> str:
    """Remove the spaces beside characters of scripts without spaces, where they separate no words."""
    if " " not in text or not has_spaceless(text):
        return text
    return str(_compiled(SPACE_BEFORE).sub(r"\1", _compiled(SPACE_AFTER).sub(r"\1", text)))
