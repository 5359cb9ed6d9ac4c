"""A run as one sees it in a terminal: each pass as it ends, and what came of it."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from cli.console import console, errors
from flows.server import monitor
from flows.server.environment import set_prefect_defaults
from flows.server.ephemeral import EphemeralServer
from winnow.engines.registry import engine_for
from winnow.errors import ServerLost
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.filter import Filter
from winnow.reports.summary import Report
from winnow.runs.run_record import load_settings
from winnow.runs.storage import location
from winnow.runs.verify import verify_run
from winnow.validation.rules import rules_for

AGAIN = "the same command, or `winnow resume`, goes on from here"


def curate(settings: Curation) -> Report:
    """Run the flow, with its progress on standard error and its summary on standard output."""
    rules_for(settings)  # raises before a server is waited for
    start(settings)
    from flows.curate import curate

    return run(curate, settings)


def ensemble(settings: Ensemble) -> Report:
    """The same for the flow of ensembles."""
    rules_for(settings)
    start(settings)
    from flows.ensemble import ensemble

    return run(ensemble, settings)


def run(flow: Callable[..., Report], settings: Settings) -> Report:
    with progress():
        report = flow(**{name: getattr(settings, name) for name in type(settings).model_fields})
    show(report, settings.output)
    return report


def incremental(settings: Curation) -> None:
    """The same for each night in which there is something to do."""
    rules_for(settings)
    start(settings)
    from flows.incremental import incremental

    with progress():
        reports: dict[str, Report] = incremental(**{name: getattr(settings, name) for name in Curation.model_fields})
    for output, report in reports.items():
        show(report, output)


def refilter(run: str, output: str, given: Filter) -> None:
    """The flow, with its summary on standard output."""
    rules_for(load_settings(location(run), given))
    start(again="the same command goes on from here")
    from flows.refilter import refilter

    show(refilter(run=run, output=output, filter=given), output)


def start(settings: Settings | None = None, again: str = AGAIN) -> None:
    """Prepare the process for a flow, and make sure of its server; with settings, for one that loads models.

    `again` says what to do after an interruption.
    """
    set_prefect_defaults()
    log = logging.getLogger("winnow")
    log.setLevel(logging.INFO)
    log.addHandler(RichHandler(console=errors, show_level=False, show_path=False, log_time_format="%H:%M:%S"))
    if settings and settings.devices == "inline":
        threading.Thread(target=preload_engines, args=(settings.checkpoints,), daemon=True).start()
    api = monitor.configured_api()
    log.info("starting Prefect" + ("" if api else " with a server for this run"))
    monitor.current["pid"] = os.getpid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(stop, again, tell=api is not None))
    if api:
        monitor.require_server(api.rstrip("/"))
    else:
        serve_this_run()


def serve_this_run() -> None:
    """Start a server, and have Prefect use it."""
    from prefect.context import refresh_global_settings_context

    own = EphemeralServer()
    os.environ["PREFECT_API_URL"] = own.api
    refresh_global_settings_context()
    own.wait()


def show(report: Report, output: str) -> None:
    """A run's counts, and where the rest of its report is."""
    console.print(summary(report))
    console.print(f"\nreport: {location(output) / 'report.html'}", markup=False, soft_wrap=True)
    if lost := os.environ.get(monitor.ORPHANED):
        raise ServerLost(monitor.server_lost_message(lost))


def preload_engines(model_names: list[str]) -> None:
    """Import the engines of these models, which takes as long as Prefect takes to start, at the same time."""
    for model_name in model_names:
        with suppress(Exception):  # the run itself reports what is wrong
            engine_for(model_name).preload()


@contextmanager
def progress() -> Iterator[None]:
    """A bar under the log that says how far the passes are; nothing where nobody looks."""
    from flows.progress import listeners

    if not errors.is_terminal:
        yield
        return
    with Progress(BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), console=errors) as bar:
        errors.show_cursor(True)  # a run may end at any time, and must not leave a terminal without one
        task = bar.add_task("", total=1.0)
        listeners.append(lambda share, words: bar.update(task, completed=share, description=words))
        yield


def stop(again: str, number: int, frame: object, *, tell: bool) -> None:
    """End at once, and the run's own server with us: it may have had the signal as well, and is waited for in vain.

    What is committed stays; what is not is read again. `tell` the server, if it stays.
    """
    word = "interrupted" if number == signal.SIGINT else "terminated"
    errors.print(f"{word}: {again}")
    if tell:
        monitor.mark_cancelled(word)
    monitor.end_children()
    os._exit(128 + number)


def verify(output: str) -> bool:
    """Show what of a run holds; whether all of it does."""
    checks = verify_run(location(output))
    for check in checks:
        console.print("[green]ok    [/]" if check.holds else "[red]FAILED[/]", Text(check.sentence))
    return all(check.holds for check in checks)


def summary(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "utterances", "hours"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, utterances, hours in [
        ("kept", report.kept, report.kept_hours),
        ("dropped", report.dropped, report.dropped_hours),
        ("quarantined", report.quarantined, None),
        ("in all", report.utterances, report.hours),
        *(
            ("read by the large model too", band.utterances, band.hours)
            for n, band in report.bands.items()
            if n == "escalate"
        ),
    ]:
        table.add_row(name, f"{utterances:,}", "" if hours is None else f"{hours:.3f}")
    return table
