"""Limits on a difference, for scripts and CI: `kept_hours<-1%` fails if a run keeps over 1 % fewer hours."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from winnow.diff.difference import Difference, Totals
from winnow.errors import OptionError

FIGURES = tuple(name for name in Totals.model_fields if name != "run")

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}

LIMIT = re.compile(
    rf"\s*({'|'.join(FIGURES)})\s*({'|'.join(COMPARISONS)})\s*([+-]?\d{{1,12}}(?:\.\d{{1,12}})?)\s*(%?)\s*"
)


@dataclass(frozen=True)
class Limit:
    """A change that is too much: of a figure, absolute or in percent of what it was."""

    text: str
    figure: str
    comparison: str
    value: float
    relative: bool

    def violated_by(self, difference: Difference) -> str | None:
        """Say how the difference violates the limit; None if it does not.

        A change from 0 is more than any percentage. A figure that only the earlier run has, such as the WER of what is
        kept if nothing is, violates every limit; what the earlier run lacks cannot be compared.
        """
        before, after = (getattr(totals, self.figure) for totals in (difference.before, difference.after))
        if before is None:
            return None
        if after is None:
            return f"{self.figure} is {before:,.4g} before and unknown after: {self.text}"
        change = after - before
        if self.relative:
            change = 100 * change / before if before else float("inf") if change else 0.0
        change = round(change, 9)  # 1.9 of 2.0 is 5 % less, not a little more than that
        if not COMPARISONS[self.comparison](change, self.value):
            return None
        return (
            f"{self.figure} went from {before:,.4g} to {after:,.4g} ({change:+,.4g}{'%' * self.relative}): {self.text}"
        )


def parse_limit(text: str) -> Limit:
    """Return a limit; raises OptionError for a text that is none."""
    if found := LIMIT.fullmatch(text):
        figure, comparison, value, percent = found.groups()
        return Limit(text.strip(), figure, comparison, float(value), bool(percent))
    raise OptionError(
        f"--fail-on {text!r}: expected a figure, <, <=, > or >= and the change that is too much, such as "
        f"'kept_hours<-1%' or 'wer>0.01'; figures are {', '.join(FIGURES)}"
    )


def violations(difference: Difference, limits: Iterable[Limit]) -> list[str]:
    """Return what a difference violates, in words."""
    return [said for limit in limits if (said := limit.violated_by(difference))]
