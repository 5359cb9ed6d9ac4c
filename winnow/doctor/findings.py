"""What the doctor says: a line a check, with the remedy where something is wrong."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import BaseModel

from winnow.parameters.redaction import redact_text


class Finding(BaseModel, frozen=True):
    """What a check found, and what mends it. A warning stops no run, a failure does."""

    check: str
    state: Literal["ok", "warning", "failed"]
    found: str
    remedy: str | None = None


def ok(check: str, found: str) -> Finding:
    return Finding(check=check, state="ok", found=found)


def warning(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, state="warning", found=found, remedy=remedy)


def failed(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, state="failed", found=found, remedy=remedy)


def run_check(check: str, ask: Callable[..., Iterable[Finding]], *given: Any) -> list[Finding]:
    """The findings of a check; one that breaks is a finding itself, so that the others go on."""
    try:
        return list(ask(*given))
    except Exception as error:
        return [failed(check, f"cannot be looked at: {error_line(error)}", REINSTALL)]


def error_line(error: Exception) -> str:
    return redact_text(f"{type(error).__name__}: {error}".splitlines()[0])


REINSTALL = "pip install --constraint constraints.txt --editable . in an environment of its own"
