"""A run as one sees it in a terminal: each pass as it ends, and what came of it."""

import logging
import os
import signal

import psutil
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from tasks.config import Curation
from tasks.quality import Report

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

DEFAULTS = {
    # the terminal shows what winnow says; Prefect's own words are in its UI
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "winnow",
    # 20 s, the default, is not enough for a machine under load
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


def curate(settings: Curation) -> Report:
    """Run the flow, with its progress on standard error and its summary on standard output."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    log = logging.getLogger("winnow")
    log.setLevel(logging.INFO)
    log.addHandler(RichHandler(console=errors, show_level=False, show_path=False, log_time_format="%H:%M:%S"))
    log.info("starting Prefect" + ("" if os.environ.get("PREFECT_API_URL") else " with a server for this run"))
    from flows.curate import curate

    if not os.environ.get("PREFECT_API_URL"):
        signal.signal(signal.SIGINT, stop)
    report: Report = curate(**{name: getattr(settings, name) for name in type(settings).model_fields})
    console.print(summary(report))
    console.print(f"\nreport: {settings.output / 'report.html'}", markup=False, soft_wrap=True)
    return report


def stop(number: int, frame: object) -> None:
    """End at once, and the run's own server with us: it may have had the signal as well, and is waited for in vain.

    What is committed stays; what is not is read again.
    """
    errors.print("interrupted: the same command goes on from here")
    for child in psutil.Process().children(recursive=True):
        child.terminate()
    os._exit(128 + number)


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
