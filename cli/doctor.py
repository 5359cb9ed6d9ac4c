"""The doctor in a terminal. Prefect is imported only where a check asks it, since it may be what is wrong."""

import json
from pathlib import Path

from rich.text import Text

from cli.console import console
from flows.server.check import check_server
from winnow.doctor.checks import run_checks
from winnow.doctor.smoke_run import demo_checkpoint, smoke_run
from winnow.parameters.maintenance import Doctor

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(settings: Doctor, file: Path | None) -> bool:
    """Show each finding as soon as it is there, and write them all to the file; whether nothing failed."""
    found = []
    for finding in run_checks(settings, demo_checkpoint(), check_server, smoke_run):
        found.append(finding)
        mark = Text(f"{finding.state:<8}", COLOURS[finding.state])
        console.print(mark, Text(f"{finding.check}: {finding.found}"), soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"         remedy: {finding.remedy}"), soft_wrap=True)
    if file:
        file.write_text(json.dumps([finding.model_dump() for finding in found], indent=2) + "\n")
    return all(finding.state != "failed" for finding in found)
