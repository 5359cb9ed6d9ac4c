"""`winnow doctor` in a terminal. Only the check of Prefect imports it, because its import may be what fails."""

from rich.text import Text

from cli.console import JsonFile, even_if_quiet, json_results
from flows.server.check import check_server
from winnow.doctor.checks import run_checks
from winnow.doctor.installation import demo_checkpoint
from winnow.doctor.smoke_run import smoke_run
from winnow.parameters.maintenance import Doctor

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(settings: Doctor, json: JsonFile) -> bool:
    """Print each finding as soon as it is known, and all as JSON at the end; return True if nothing failed."""
    findings = []
    with json_results(json) as (console, write):
        for finding in run_checks(settings, demo_checkpoint(), check_server, smoke_run):
            findings.append(finding)
            state = Text(f"{finding.state:<8}", COLOURS[finding.state])
            shown = console if finding.state == "ok" else even_if_quiet(console)
            shown.print(state, Text(f"{finding.check}: {finding.message}"), soft_wrap=True)
            if finding.remedy:
                shown.print(Text(f"         remedy: {finding.remedy}"), soft_wrap=True)
        write([finding.model_dump() for finding in findings])
    return all(finding.state != "failed" for finding in findings)
