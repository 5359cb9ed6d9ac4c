"""The commands that recommendations name. One that the run's own checks would refuse is not named."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from winnow.audio.remote.urls import is_url
from winnow.errors import WinnowError
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.reports.recommendation import shell_command
from winnow.runs.command import command_of, words_of
from winnow.runs.run_record import Derivation
from winnow.validation.evidence_options import check_gate_options
from winnow.validation.rules import rules_for


@dataclass(frozen=True)
class FollowUp:
    """The run in the folder `run`, and what can be done about it.

    `derived` if it reuses another run's hypotheses, `language` if its rows have one.
    """

    settings: Settings
    run: str
    derived: Derivation | None = None
    language: str | None = None

    @property
    def original(self) -> str:
        """The run that transcribed."""
        return self.derived.run if self.derived else self.run

    def with_option(self, group: str, option: str, value: Any) -> Settings | None:
        """Return the parameters with another value of an option; None if that is its value, or if it is refused."""
        options = getattr(self.settings, group)
        if value == getattr(options, option):
            return None
        return self.accepted({group: options.model_copy(update={option: value})})

    def accepted(self, changes: dict[str, Any]) -> Settings | None:
        """Return the parameters with these changes, if a run with them would start."""
        return check(self.settings.model_copy(update=changes))

    def list_models(self) -> str | None:
        """Return the command that lists models, of the run's language if it has one."""
        return shell_command(["winnow", "models", *words_of(("language",), self.language)])

    def relabel(self) -> str | None:
        """Return the command that puts proposals in the place of references, with reviews if this run follows them."""
        reviews = ["--reviews"] if self.derived and self.derived.reviews else []
        output = free_folder(f"{self.original}-relabelled")
        return shell_command(["winnow", "relabel", self.original, "--output", output, *reviews])

    def retry(self, reasons: list[str]) -> str | None:
        """Return the command that tries utterances with these reasons again."""
        return shell_command(["winnow", "resume", self.original, "--retry", ",".join(reasons)])

    def look(self) -> str | None:
        """Return the command that has a person listen to doubtful rows; of a run in a store, what rules cost."""
        return shell_command(["winnow", "sweep" if is_url(self.run) else "review", self.run])

    def run_again(self, settings: Settings | None, suffix: str) -> str | None:
        """Return the command that starts a new run with these parameters, beside this one; None without any."""
        if settings is None:
            return None
        return shell_command(command_of(settings.model_copy(update={"output": free_folder(f"{self.run}-{suffix}")})))


def free_folder(name: str) -> str:
    """Return the name of a folder, with a number if there is one of this name; an object store is not asked."""
    names = (name, *(f"{name}-{number}" for number in range(2, 100)))
    return name if is_url(name) else next((free for free in names if not Path(free).exists()), name)


def as_curation(settings: Settings, small: str) -> Settings | None:
    """Return the parameters of a run with one model of an ensemble; None if it would be refused."""
    shared = {name: getattr(settings, name) for name in Curation.model_fields if hasattr(settings, name)}
    alone = check(Curation.model_construct(**shared | {"small": small, "references": "optional"}))
    with suppress(WinnowError):
        if alone:
            rules_for(alone)
            return alone
    return None


def check(settings: Settings) -> Settings | None:
    """Return parameters if a run would accept them; None if not."""
    try:
        valid = type(settings).model_validate(settings.model_dump())
        check_gate_options(valid)
    except (ValidationError, WinnowError):
        return None
    return valid
