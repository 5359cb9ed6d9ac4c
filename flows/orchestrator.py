"""Who runs the tasks of a flow: Prefect, or this process, task by task and without a server."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from prefect import Task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.progress import ProgressArtifact, ShowProgress
from flows.server.monitor import current_flow_run, watch_server
from flows.server.open_flow_runs import mark_crashed
from winnow.printable import printable
from winnow.reports.artifacts import Artifacts
from winnow.runs.lock import Owner

R = TypeVar("R")


class Future(Protocol):
    """The result of a submitted task. A future may be an argument of another task, which then gets its result."""

    def result(self) -> Any:
        """Wait for the task; return its result or raise its exception."""

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        """Call the function with this future as soon as the task has ended."""


class Orchestrator(Artifacts, Protocol):
    """What a flow needs to run its tasks."""

    def submit(self, task: Task[..., Any], *arguments: Any) -> Future:
        """Start a task."""

    def run(self, task: Task[..., R], *arguments: Any) -> R:
        """Run a task and return its result."""

    def owner(self) -> Owner:
        """Return what the lock on the output says about who works on it."""

    def mark_crashed(self, owner: Owner) -> None:
        """Note that this owner of the output died while it worked on it."""

    def watch(self, output: Path | None, command: Sequence[str]) -> None:
        """If the server is lost, go on with this command of winnow, unless the output is complete.

        Without an output, more is done than to make one.
        """

    def start_progress(self, key: str, description: str) -> ShowProgress:
        """Return what shows the progress from now on."""


class PrefectOrchestrator:
    """The flow run that this is called from: its task runner runs the tasks, its server knows their states."""

    def submit(self, task: Task[..., Any], *arguments: Any) -> Future:
        future: Future = task.submit(*arguments)
        return future

    def run(self, task: Task[..., R], *arguments: Any) -> R:
        return task(*arguments)

    def owner(self) -> Owner:
        return current_flow_run()

    def mark_crashed(self, owner: Owner) -> None:
        mark_crashed(owner)

    def watch(self, output: Path | None, command: Sequence[str]) -> None:
        watch_server(output, command)

    def start_progress(self, key: str, description: str) -> ShowProgress:
        return ProgressArtifact(key, description).show

    def markdown(self, text: Callable[[], str], key: str, description: str) -> None:
        create_markdown_artifact(text(), key=key, description=description)

    def table(self, rows: list[dict[str, Any]], key: str, description: str) -> None:
        create_table_artifact(list(map(inert_cells, rows)), key=key, description=description)


def inert_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a table whose texts may have come from anywhere."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}


class CompletedTask:
    """The future of a task that ran as it was submitted."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._error: Exception | None = None
        try:
            self._result = function(*map(result_of, arguments))
        except Exception as error:
            self._error = error

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        call(self)


def result_of(argument: Any) -> Any:
    return argument.result() if isinstance(argument, CompletedTask) else argument


class InProcess:
    """Run a flow as plain functions in this process: no Prefect server, no artifacts and no retries."""

    def submit(self, task: Task[..., Any], *arguments: Any) -> Future:
        return CompletedTask(task.fn, arguments)

    def run(self, task: Task[..., R], *arguments: Any) -> R:
        return task.fn(*arguments)

    def owner(self) -> Owner:
        return {}

    def mark_crashed(self, owner: Owner) -> None: ...

    def watch(self, output: Path | None, command: Sequence[str]) -> None: ...

    def start_progress(self, key: str, description: str) -> ShowProgress:
        return lambda share, words: None

    def markdown(self, text: Callable[[], str], key: str, description: str) -> None: ...

    def table(self, rows: list[dict[str, Any]], key: str, description: str) -> None: ...
