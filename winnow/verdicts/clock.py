"""The time of a verdict, which no decision of the pipeline depends on but the order of a person's own words."""

from datetime import UTC, datetime, timedelta

TICK = timedelta(microseconds=1)


def now_after(earlier: datetime | None) -> datetime:
    """Return the time in UTC; later than what it follows, even if another machine's clock is fast."""
    now = datetime.now(UTC)
    return now if earlier is None else max(now, earlier + TICK)


def in_utc(at: datetime) -> str:
    """Write a time in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
