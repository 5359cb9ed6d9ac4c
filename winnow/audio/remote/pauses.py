"""Pauses between requests to a server: how long it asks for, and that they end once nobody waits for the answer."""

import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

WAITING = threading.local()


class GivenUp(Exception):
    """Nobody waits any more for what this thread does."""


def end_pauses_at(given_up: threading.Event) -> None:
    """Let the pauses of this thread end with GivenUp as soon as the event is set."""
    WAITING.given_up = given_up


def pause(seconds: float) -> None:
    """Sleep for some seconds; raises GivenUp."""
    given_up: threading.Event | None = getattr(WAITING, "given_up", None)
    if given_up is None:
        time.sleep(max(0.0, seconds))
    elif given_up.wait(seconds):
        raise GivenUp("the call that this was for has ended")


def seconds_asked(headers: Mapping[str, str]) -> float:
    """Return the seconds that an answer's `retry-after` asks to wait (RFC 9110); 0 if there is none.

    A date means that many seconds behind the server's own `date`.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):  # TypeError: only one of the two tells its zone
        return 0.0
    return max(0.0, wait.total_seconds())
