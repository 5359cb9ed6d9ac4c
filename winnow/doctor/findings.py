"""What a check of the doctor reports: a state, a message and, unless all is well, a remedy."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel

from winnow.doctor.installation import REINSTALL
from winnow.parameters.redaction import error_line
from winnow.printable import one_line

Sentence = Annotated[str, AfterValidator(one_line)]


class Finding(BaseModel, frozen=True):
    """The result of a check. A failure would stop a run; a warning would not."""

    check: str
    state: Literal["ok", "warning", "failed"]
    message: Sentence
    remedy: Sentence | None = None


def ok(check: str, message: str) -> Finding:
    """Return the finding of a check that passed."""
    return Finding(check=check, state="ok", message=message)


def warning(check: str, message: str, remedy: str) -> Finding:
    """Return a finding that would not stop a run."""
    return Finding(check=check, state="warning", message=message, remedy=remedy)


def failed(check: str, message: str, remedy: str) -> Finding:
    """Return a finding that would stop a run."""
    return Finding(check=check, state="failed", message=message, remedy=remedy)


def run_check(check: str, function: Callable[..., Iterable[Finding]], *arguments: Any) -> list[Finding]:
    """Return the findings of a check; an exception becomes a finding itself, so that the other checks still run."""
    try:
        return list(function(*arguments))
    except Exception as error:
        return [failed(check, f"the check failed: {error_line(error)}", REINSTALL)]
