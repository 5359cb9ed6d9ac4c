"""What vocabularies of all engines have in common: which characters their pieces have, and when texts are the same."""

import re
import unicodedata
from collections.abc import Iterable

from winnow.text.writing_style import WritingStyle, style_of

SPECIAL = re.compile(r"<.+>|\[[A-Z]+\]")  # unknown, padding, bytes, prompts


def same_text(first: str, second: str) -> bool:
    """Return whether texts are the same to a tokenizer, which may normalize compatible characters."""
    return first == second or comparable(first) == comparable(second)


def comparable(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def writing_style(pieces: Iterable[str]) -> WritingStyle:
    """Return which kinds of characters the pieces of a vocabulary have."""
    characters: set[str] = set()
    for piece in pieces:
        if not SPECIAL.fullmatch(piece):
            characters.update(piece.removeprefix("##").replace("▁", ""))
    return style_of(characters)
