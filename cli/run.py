"""Runs in a terminal: progress and log on standard error, the summary on standard output."""

import logging
import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from pydantic import BaseModel
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from cli.console import JsonFile, Results, console, errors, json_results
from cli.progress import progress_bars
from flows.server import monitor
from flows.server.environment import set_prefect_defaults
from flows.server.ephemeral import EphemeralServer
from flows.server.interruption import interruption
from flows.server.open_flow_runs import mark_cancelled, stop_reporting_tasks
from flows.server.proxies import require_usable_proxies
from winnow.devices.scheduler_address import require_scheduler
from winnow.engines.registry import engine_for
from winnow.imports import without_gc
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.maintenance import Refilter, Relabel
from winnow.process_memory import limit_arenas
from winnow.reports.cost import Cost
from winnow.reports.formatting import format_amount
from winnow.reports.summary import Report
from winnow.runs import retry
from winnow.runs.retry import parse_reasons
from winnow.runs.run_record import Derivation, read_run_record
from winnow.runs.storage import is_local, location
from winnow.runs.store_errors import explain_store_errors
from winnow.segmenting.before_start import check_curation
from winnow.validation.before_start import check_increments, check_refilter, check_relabel, check_run
from winnow.verdicts.carried import VERDICTS

R = TypeVar("R")


def curate(settings: Curation, json: JsonFile = None) -> Report:
    """Run the flow `curate` and print its summary."""
    with json_results(json) as results:
        check_curation(settings)
        with starting_prefect(settings, hint=partial(resume_hint, settings.output, settings.segment)):
            from flows.curate import curate

        return run(curate, settings, results)


def ensemble(settings: Ensemble, json: JsonFile = None) -> None:
    """Run the flow `ensemble` and print its summary."""
    with json_results(json) as results:
        check_run(settings)
        with starting_prefect(settings, hint=partial(resume_hint, settings.output)):
            from flows.ensemble import ensemble

        run(ensemble, settings, results)


def run(flow: Callable[..., Report], settings: Settings, results: Results) -> Report:
    with progress_bars():
        report = call(flow, settings)
    print_reports({settings.output: report}, results)
    return report


def call(flow: Callable[..., R], parameters: BaseModel) -> R:
    """Call a flow with the fields of its parameters; a signal ends the flow run as well."""
    with interruption.creating_flow_run():
        return flow(**{name: getattr(parameters, name) for name in type(parameters).model_fields})


def incremental(settings: Curation, json: JsonFile = None) -> None:
    """Run the flow `incremental` and print the summary of each run that it finished; as JSON, all of them by folder."""
    with json_results(json) as results:
        check_increments(settings)
        with starting_prefect(settings, hint=lambda: "the same command finishes what it began"):
            from flows.incremental import incremental

        with progress_bars():
            reports: dict[str, Report] = call(incremental, settings)
        print_reports(reports, results, several=True)


def resume_derived(derived: Derivation, output: str, settings: Settings, json: JsonFile = None) -> None:
    """Run the flow again that made a run from another one, with the verdicts that it was begun with."""
    verdicts = read_run_record(location(output)).sha256.get(VERDICTS) or ""
    about = {"run": derived.run, "output": output, "reviews": derived.reviews, "verdicts": verdicts}
    if derived.flow == "relabel":
        relabel(Relabel(**about), json)
    else:
        refilter(Refilter(**about, filter=settings.filter, listen=settings.listen), json)


def refilter(parameters: Refilter, json: JsonFile = None) -> None:
    """Run the flow `refilter` and print its summary."""
    with json_results(json) as results:
        check_refilter(parameters)
        with starting_prefect(hint=lambda: "the same command starts again"):
            from flows.refilter import refilter

        print_reports({parameters.output: call(refilter, parameters)}, results)


def relabel(parameters: Relabel, json: JsonFile = None) -> None:
    """Run the flow `relabel` and print its summary."""
    with json_results(json) as results:
        check_relabel(parameters)
        with starting_prefect(hint=lambda: "the same command starts again"):
            from flows.relabel import relabel

        print_reports({parameters.output: call(relabel, parameters)}, results)


def retry_later(output: str, reasons: list[str]) -> None:
    """Have a run try the utterances with these reasons again when it is resumed, and print how many there are."""
    names = parse_reasons(reasons)
    run = location(output)
    with explain_store_errors(run):
        count = retry.retry_later(run, names)
    if not console.quiet:
        errors.print(f"{count:,} utterances are tried again ({', '.join(names)})", markup=False, soft_wrap=True)


def resume_hint(output: str, segments: str | None = None) -> str:
    """Say how to continue a run that is interrupted now, depending on whether it has written anything yet.

    With `segments`, recordings are cut before there is a run, and only the same command continues that.
    """
    if segments:
        return "the same command continues"
    run = location(output)
    if is_local(run) and not (run / "run.json").exists():
        return "nothing was written yet; the same command starts the run again"
    return f"resume with the same command, or with `winnow resume {shlex.quote(output)}`"


@contextmanager
def starting_prefect(settings: Settings | None = None, *, hint: Callable[[], str]) -> Iterator[None]:
    """Prepare this process for a flow, which the block imports while a Prefect server starts; it answers afterwards.

    With settings, the engines of their models are imported meanwhile too. `hint` says what to do if the command is
    interrupted.
    """
    limit_arenas()
    if settings and settings.devices not in ("inline", "local"):
        require_scheduler(settings.devices, settings.dask)
    require_usable_proxies()
    set_prefect_defaults()
    log = logging.getLogger("winnow")
    log.setLevel(logging.INFO)
    handler = RichHandler(console=errors, show_level=False, show_path=False, log_time_format="%H:%M:%S")
    handler.setLevel(logging.WARNING if console.quiet else logging.INFO)
    log.addHandler(handler)
    if settings and settings.devices == "inline" and not is_finished(settings.output):
        threading.Thread(target=preload_engines, args=(settings.checkpoints,), daemon=True).start()
    api = monitor.configured_api()
    log.info("starting Prefect" + ("" if api else " with a temporary server"))
    monitor.current["pid"] = os.getpid()
    interruption.on_signal(partial(stop, hint, None))
    server = None
    if api:
        monitor.require_server(api.rstrip("/"))
    else:
        server = start_temporary_server(hint)
    with without_gc():
        yield
    if server:
        server.wait()


def start_temporary_server(hint: Callable[[], str]) -> EphemeralServer:
    """Start a server that ends with this process, and have Prefect use it."""
    from prefect.context import refresh_global_settings_context

    server = EphemeralServer()
    interruption.on_signal(partial(stop, hint, server))
    os.environ |= {"PREFECT_API_URL": server.api, "PREFECT_API_AUTH_STRING": server.auth}
    refresh_global_settings_context()
    return server


def print_reports(reports: dict[str, Report], results: Results, several: bool = False) -> None:
    """Print the summary of each run by its folder, and write its figures; raise ServerLost if a server was lost."""
    console, write = results
    for output, report in reports.items():
        print_report(report, output, console)
    figures = {output: report.model_dump(mode="json") for output, report in reports.items()}
    write(figures if several else next(iter(figures.values())))
    monitor.raise_if_server_was_lost()


def print_report(report: Report, output: str, console: Console) -> None:
    """Print a run's summary, the path of its report, what it recommends, and its warnings."""
    console.print(summary_table(report))
    if report.cost:
        console.print(f"\n{cost_line(report.cost)}", markup=False, soft_wrap=True)
    console.print(f"\nreport: {location(output) / 'report.html'}", markup=False, soft_wrap=True)
    if report.dropped and is_local(location(output)):
        console.print(f"listen and decide: winnow review {shlex.quote(output)}", markup=False, soft_wrap=True)
    for advice in report.recommendations:
        console.print(f"\n{advice.sentence}", markup=False, soft_wrap=True)
        if advice.command:
            console.print(f"  {advice.command}", markup=False, soft_wrap=True)
    for warning in report.warnings:
        errors.print(f"winnow: warning: {warning}", markup=False, soft_wrap=True)


def preload_engines(model_names: list[str]) -> None:
    """Import the engines of these models, which takes as long as Prefect takes to start, at the same time."""
    for model_name in model_names:
        with suppress(Exception):  # the run itself reports what is wrong
            engine_for(model_name).preload()


def is_finished(output: str) -> bool:
    """Tell whether a run on this machine has been published, so that nothing remains to transcribe."""
    run = location(output)
    return is_local(run) and (run / "_SUCCESS.json").exists()


def stop(hint: Callable[[], str], server: EphemeralServer | None, number: int) -> None:
    """Set the flow run and its tasks to Cancelled, then end this process and its children. Committed work is kept.

    `number` is that of the signal; `server` is the temporary server, if there is one.
    """
    cause = "interrupted" if number == signal.SIGINT else "terminated"
    errors.print(f"{cause}: {hint()}", markup=False, soft_wrap=True)
    message = f"{cause} by {signal.Signals(number).name}"
    stop_reporting_tasks()
    if server:
        server.end(cancelled=message)
    else:
        mark_cancelled(message)
    monitor.end_children()
    os._exit(128 + number)


def summary_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "utterances", "hours"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("kept", f"{report.kept:,}", f"{report.kept_hours:.3f}")
    table.add_row("dropped", f"{report.dropped:,}", f"{report.dropped_hours:.3f}")
    table.add_row("quarantined", f"{report.quarantined:,}", "")
    if report.relabelled:
        table.add_row("of them relabelled", f"{report.relabelled.utterances:,}", f"{report.relabelled.hours:.3f}")
    if reviewed := report.reviewed:
        table.add_row("of them reviewed", f"{reviewed.utterances:,}", f"{reviewed.hours:.3f}")
    table.add_row("total", f"{report.utterances:,}", f"{report.hours:.3f}")
    if escalated := report.bands.get("escalate"):
        table.add_row("escalated to the large model", f"{escalated.utterances:,}", f"{escalated.hours:.3f}")
    return table


def cost_line(cost: Cost) -> str:
    """Return the cost of a run and of 1,000 hours like it."""
    line = f"cost: {format_amount(cost.amount)} at {cost.price:,.2f} a device hour"
    rate = cost.per_1000_hours
    return line if rate is None else f"{line}; {format_amount(rate)} for 1,000 hours of audio"
