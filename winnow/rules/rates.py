"""Columns whose values are fractions, and limits for them that were written in percent (`wer <= 25`)."""

from collections.abc import Callable
from typing import Any

HIGHEST_LIMITS = {
    **dict.fromkeys(("wer", "cer", "exact_wer", "begin_cer", "end_cer", "peak"), 2.0),
    **dict.fromkeys(("confidence", "agreement", "lowest_agreement", "clipped", "silent"), 1.0),
    **dict.fromkeys(("unique_words", "charset"), 1.0),
}
"""The highest sensible limit of each column or statistic that is a fraction; an error rate may exceed 1."""


def percent_complaint(value: float, highest: float) -> str | None:
    """Say that a limit was probably written in percent, and which fraction is meant; None if it is a fraction."""
    if abs(value) <= highest:
        return None
    return f"{value:g} is above {highest:g}, but this is a fraction" + (
        f": {value / 100:g}?" if abs(value) <= 100 * highest else ""
    )


def refuse_percent(highest: float) -> Callable[[Any], Any]:
    """Return a validator of an option that is a fraction, which names the fraction if the value is a percentage."""

    def check(value: Any) -> Any:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return value  # the type's own check says what is wrong
        if highest < number < float("inf") and (complaint := percent_complaint(number, highest)):
            raise ValueError(complaint)
        return value

    return check
