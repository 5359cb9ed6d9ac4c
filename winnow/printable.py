"""Untrusted text, such as a file's name or a transcript, made safe to print: no terminal, log or page acts on it."""

import re

ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1: cursor, colours, titles, what a terminal answers
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction in which text is shown
    "\u2028\u2029\ufff9-\ufffb"  # separators of lines and paragraphs, annotations
    "\ud800-\udfff]"  # halves of surrogate pairs, which cannot be encoded: a file's name that is not UTF-8
)


def printable(text: str) -> str:
    r"""Replace characters that act on a terminal or on the order of the text by escapes: `\x1b`, `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return ACTIVE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """Do the same, and join lines by spaces, so that no text can look like another message."""
    return printable(text.replace("\n", " "))


def printable_json(text: str) -> str:
    r"""Replace these characters in JSON by its own escapes, such as `\u202e`, so that readers get the same values."""
    return ACTIVE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
