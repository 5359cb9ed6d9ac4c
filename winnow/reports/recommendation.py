"""A recommendation: what it is, the figures that it follows from, and the command that follows it."""

import shlex
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from winnow.printable import printable


class Recommendation(BaseModel, frozen=True):
    """Something to do about a run.

    `kind` is the name of the check that made it. `evidence` has figures of report.json by their paths in it, such as
    `wer.all.mean`. `command` can be pasted into a shell; None if no command does it, or if a name in it cannot be shown
    as it is.
    """

    kind: str
    sentence: str
    evidence: dict[str, float]
    command: str | None


def shell_command(words: list[str]) -> str | None:
    """Return a command as it is typed; None if it has characters that a terminal would not show."""
    text = shlex.join(words)
    return text if text == printable(text) and "\n" not in text else None


def figure_at(report: Mapping[str, Any], path: str) -> Any:
    """Return a figure of report.json by its path."""
    value: Any = report
    for name in path.split("."):
        value = value[name]
    return value
