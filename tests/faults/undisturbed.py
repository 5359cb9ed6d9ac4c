"""The flow as it is, without Prefect: its tasks are called one after another in this process, so that it can be killed
a thousand times in a few minutes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import flows.curate
from winnow.parameters.curation import Curation


class Done:
    """A future that has its result."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def result(self) -> Any:
        return self.value

    def add_done_callback(self, call: Callable[["Done"], None]) -> None:
        call(self)


def plain(argument: Any) -> Any:
    """Results in the place of futures, at any depth."""
    if isinstance(argument, Done):
        return argument.value
    if type(argument) in (list, tuple):
        return type(argument)(plain(item) for item in argument)
    if isinstance(argument, dict):
        return {name: plain(item) for name, item in argument.items()}
    return argument


@contextmanager
def without_prefect(locks: bool = True) -> Iterator[None]:
    with ExitStack() as stack:
        for target, replacement in {
            "prefect.Task.__call__": lambda task, *arguments: task.fn(*map(plain, arguments)),
            "prefect.Task.submit": lambda task, *arguments: Done(task.fn(*map(plain, arguments))),
            "flows.progress.create_progress_artifact": lambda *_, **__: None,
            "flows.progress.update_progress_artifact": lambda *_, **__: None,
            "flows.curate.this_run": dict,
            "flows.curate.watch": lambda run: None,
            "tasks.report.create_markdown_artifact": lambda *_, **__: None,
            "tasks.report.create_table_artifact": lambda *_, **__: None,
        }.items():
            stack.enter_context(patch(target, replacement))
        if not locks:
            stack.enter_context(patch("winnow.runs.run_dir.locked", lambda run, owner: nullcontext({})))
        yield


def curate(settings: Curation, locks: bool = True) -> Any:
    with without_prefect(locks):
        return flows.curate.curate.fn(**{name: getattr(settings, name) for name in Curation.model_fields})
