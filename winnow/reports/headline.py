"""The headline of the report: what was kept, what the run finds, and what it took."""

from typing import NamedTuple

from winnow.evidence.planting import LABELS
from winnow.reports.cost import Cost
from winnow.reports.formatting import format_amount, format_hours, format_percent, format_share
from winnow.reports.summary import Report


class Card(NamedTuple):
    """A figure of the headline: its name, its value, and what it is of."""

    name: str
    value: str
    detail: str


def headline(report: Report) -> str:
    """Summarize the run's decisions in one sentence."""
    kept = f"{report.kept:,} of {report.utterances:,} utterances kept"
    hours = f"{format_hours(report.kept_hours)} of {format_hours(report.hours)} h"
    return f"**{kept}** ({hours}), {report.dropped:,} dropped, {report.quarantined:,} quarantined."


def cards(report: Report) -> list[Card]:
    """Return the figures that a person looks at first."""
    share = format_share(report.kept_hours, report.hours) or "none"
    transcribed = f"{share} of {format_hours(report.hours)} h that were transcribed"
    kept = Card("Kept", f"{format_hours(report.kept_hours)} h", transcribed)
    dropped = Card(
        "Dropped",
        f"{report.dropped:,}",
        f"utterances, {format_hours(report.dropped_hours)} h; {report.quarantined:,} quarantined",
    )
    return [kept, dropped, *found_cards(report), *cost_cards(report)]


def found_cards(report: Report) -> list[Card]:
    """Say which share of planted errors is missed, and what finding the others loses; nothing if none were planted."""
    calibration = report.calibration
    if not calibration or not calibration.found:
        return []
    kind = "substitution" if "substitution" in calibration.found else next(iter(calibration.found))
    rate = calibration.found[kind]
    interval = f"95% interval {format_percent(1 - rate.high)} to {format_percent(1 - rate.low)}"
    missed = f"of references with {LABELS[kind]}, estimated by planted errors ({interval}); "
    missed += f"{format_percent(rate.found)} are found"
    lost = "of the right references are dropped for their doubt (estimated)"
    return [
        Card("Errors missed", format_percent(1 - rate.found), missed),
        Card("Wrongly lost", format_percent(calibration.lost), lost),
    ]


def cost_cards(report: Report) -> list[Card]:
    """Say how much device time all passes took; nothing if none was measured."""
    seconds = sum(passed.seconds for passed in report.speed.values())
    if not seconds:
        return []
    rtfx = 3600 * report.hours / seconds
    cost = f"of device time in all passes; {rtfx:,.0f} hours of audio in an hour of it"
    return [Card("Cost", format_duration(seconds), cost), *([price_card(report.cost)] if report.cost else [])]


def price_card(cost: Cost) -> Card:
    """Say what the device time cost."""
    detail = f"for {format_hours(cost.device_hours)} device hours at {cost.price:,.2f} each"
    if cost.per_1000_hours is not None:
        detail += f"; {format_amount(cost.per_1000_hours)} for 1,000 hours of audio"
    return Card("Price", format_amount(cost.amount), detail)


def format_duration(seconds: float) -> str:
    """Return a time in the unit that fits it."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} s" if seconds >= 1 else "under 1 s"
