"""Every error that ends a run or a command, with its exit code.

    WinnowError                     1
    ├── InputError                  2   a wrong option, manifest, rule or output folder
    │   ├── ManifestError               the corpus as a whole cannot be read
    │   ├── OptionError                 an option that these models or this machine cannot follow
    │   ├── RuleError                   a rule that cannot be understood or evaluated
    │   ├── MissingColumns              a rule needs a field that the manifest does not have
    │   ├── UnknownModel                a name that no catalogue has
    │   ├── OutputError                 the output cannot be a run's folder
    │   ├── StoreError                  an object store cannot be reached, or refuses access
    │   ├── NoDevice                    no device fits the placement of a pass
    │   └── NoScheduler                 no Dask scheduler is at the given address
    ├── ServerUnavailable           3   the Prefect server does not answer or does not start
    ├── ServerLost                  4   the data is complete, but the Prefect server was lost
    ├── DiskFull                    5   no space left for a file
    ├── OutputInUse                 6   another run is using the output
    ├── CheckpointError             7   a checkpoint is not available, or fails its preflight
    │   └── DownloadFailed              some models could not be downloaded
    ├── RunMismatch                 8   the output belongs to a run with other parameters
    ├── InsecureScheduler           9   a Dask scheduler that other machines reach without TLS
    ├── TooManyQuarantined         10   more utterances are quarantined than allowed
    ├── ModelBroken                11   the model fails on every utterance
    ├── DifferenceTooLarge         12   two runs differ more than `winnow diff --fail-on` allows
    ├── BudgetSpent                13   the run has sent as much to endpoints as it may
    ├── EndpointUnavailable        14   an endpoint does not answer, or fails for every request
    ├── DeviceLost                  1   a device or worker failed; another attempt may succeed
    ├── CountMismatch               1   rows were lost or duplicated
    ├── DeploymentFailed            1   Prefect refused the deployments
    ├── MeasurementFailed           1   a model could not be benchmarked
    └── ChecksFailed                1   the doctor found something that would stop a run

A problem with a single utterance is not an error but a row with a reason (`schema.QUARANTINE_REASONS`).
"""

import errno
from collections.abc import Iterator
from typing import Any

from winnow.printable import one_line

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The system's errors that mean DiskFull."""


class WinnowError(Exception):
    """An error that its message explains in one line: cause, place, value and remedy.

    `exit_code` is what a command ends with, `meaning` what that code says in a few words; `retryable` tells whether
    another attempt may succeed.
    """

    exit_code = 1
    meaning = "failed"
    retryable = False

    def __str__(self) -> str:
        return one_line(super().__str__())


class InputError(WinnowError):
    """A wrong option, manifest, rule or output folder."""

    exit_code = 2
    meaning = "wrong input, option or output"


class ManifestError(InputError):
    """The corpus as a whole cannot be read."""


class OptionError(InputError):
    """An option that these models or this machine cannot follow."""


class RuleError(InputError, ValueError):
    """A rule that cannot be understood or evaluated. A ValueError too, so that pydantic reports it with its field."""


class MissingColumns(InputError):
    """A rule needs a field that the manifest does not have."""


class UnknownModel(InputError):
    """A name that no catalogue has."""


class OutputError(InputError):
    """The output cannot be a run's folder."""


class StoreError(OutputError):
    """An object store cannot be reached, or refuses access. `retryable` if it may answer later."""

    def __init__(self, message: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class NoDevice(InputError):
    """No device fits the placement of a pass."""


class NoScheduler(InputError):
    """No Dask scheduler is at the given address."""


class ServerUnavailable(WinnowError):
    """The Prefect server does not answer or does not start."""

    exit_code = 3
    meaning = "no Prefect server"


class ServerLost(WinnowError):
    """The data is complete, but the Prefect server was lost and has no report of it."""

    exit_code = 4
    meaning = "data complete, but the Prefect server was lost"


class DiskFull(WinnowError):
    """No space left for a file; nothing of it remains."""

    exit_code = 5
    meaning = "disk full"


class OutputInUse(WinnowError):
    """Another run is using the output."""

    exit_code = 6
    meaning = "another run is using the output"


class CheckpointError(WinnowError):
    """A checkpoint is not available, is not a checkpoint, or fails its preflight."""

    exit_code = 7
    meaning = "checkpoint refused"


class DownloadFailed(CheckpointError):
    """Some models could not be downloaded; `models` has the result of each."""

    def __init__(self, models: list[Any]) -> None:
        self.models = models
        causes = [str(model.cause) for model in models if model.cause]
        super().__init__(f"{len(causes)} of {len(models)} models could not be downloaded: {'; '.join(causes)}")


class RunMismatch(WinnowError):
    """The output belongs to a run with other parameters."""

    exit_code = 8
    meaning = "the output belongs to another run"


class InsecureScheduler(WinnowError):
    """A Dask scheduler that other machines reach without TLS: anyone there can run any code on it."""

    exit_code = 9
    meaning = "Dask scheduler reachable from other machines without TLS"


class TooManyQuarantined(WinnowError):
    """More utterances are quarantined than allowed."""

    exit_code = 10
    meaning = "too many utterances quarantined"


class ModelBroken(WinnowError):
    """The model fails on every utterance, or its scores are never finite."""

    exit_code = 11
    meaning = "the model is broken"


class DifferenceTooLarge(WinnowError):
    """Two runs differ more than allowed."""

    exit_code = 12
    meaning = "two runs differ too much"


class BudgetSpent(WinnowError):
    """The run has sent as many requests, or as much audio, to endpoints as it may."""

    exit_code = 13
    meaning = "the budget for endpoints is spent"


class EndpointUnavailable(WinnowError):
    """An endpoint does not answer, or fails for every request, after all retries."""

    exit_code = 14
    meaning = "an endpoint does not answer"


class DeviceLost(WinnowError, RuntimeError):
    """A device failed, or the process that worked on it died; another attempt may succeed."""

    retryable = True


class CountMismatch(WinnowError):
    """Rows were lost or duplicated."""


class DeploymentFailed(WinnowError):
    """Prefect refused the deployments."""


class MeasurementFailed(WinnowError):
    """A model could not be benchmarked; `figures` has the measurements of the others."""

    def __init__(self, figures: Any) -> None:
        self.figures = figures
        failed = [f"{row.model} ({row.failure})" for row in figures.rows if row.failure]
        super().__init__(f"{len(failed)} of {len(figures.rows)} were not measured: {'; '.join(failed)}")


class ChecksFailed(WinnowError):
    """The doctor found something that would stop a run."""


def error_classes(root: type[WinnowError] = WinnowError) -> Iterator[type[WinnowError]]:
    """Yield the whole tree, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from error_classes(child)


EXIT_CODES: dict[int, str] = {0: "done"}
for _class in error_classes():
    EXIT_CODES.setdefault(_class.exit_code, _class.meaning)
EXIT_CODES = dict(sorted(EXIT_CODES.items())) | {130: "interrupted", 143: "terminated"}
"""What a command's exit code means."""
