"""What files with the text of a recording consist of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cue:
    """A part of a text, with the time at which it is said, in seconds, and who says it, as far as a file has them."""

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str | None = None


class BadTextFile(Exception):
    """A file that is not of its form: `line` is where, from 1, or None for the whole file."""

    def __init__(self, line: int | None, problem: str) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)


def check_times(start: float, end: float, line: int) -> None:
    """Raise BadTextFile unless a time ends where it begins or later."""
    if not 0 <= start <= end < 1e7:
        raise BadTextFile(line, f"expected a time that does not end before it begins, got {start:g} to {end:g} s")


def number(value: str, line: int) -> float:
    """Return a number of seconds; raises BadTextFile."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e7:
        raise BadTextFile(line, f"expected seconds, got {value[:40]!r}")
    return seconds
