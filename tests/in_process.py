"""The flows as plain functions of this process: most tests ask what becomes of a corpus, not what Prefect records."""

from collections.abc import Sequence
from pathlib import Path

from flows.curate import run_curation
from flows.ensemble import run_ensemble
from flows.incremental import run_increments
from flows.orchestrator import InProcess
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.reports.summary import Report


class Watched(InProcess):
    """Runs tasks as InProcess does, and notes what a flow would continue without its server, and by which command."""

    def __init__(self) -> None:
        self.outputs: list[Path | None] = []
        self.commands: list[list[str]] = []

    def watch(self, output: Path | None, command: Sequence[str]) -> None:
        self.outputs.append(output)
        self.commands.append([*command])


def curate(**parameters: object) -> Report:
    return run_curation(Curation.model_validate(parameters), InProcess())


def ensemble(**parameters: object) -> Report:
    return run_ensemble(Ensemble.model_validate(parameters), InProcess())


def incremental(**parameters: object) -> dict[str, Report]:
    return run_increments(Curation.model_validate(parameters), InProcess())
