"""Doctor: check the machine that a worker runs on, and the models of a run."""

import sys

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.server.check import check_server
from flows.with_parameters import with_parameters
from winnow.doctor.checks import run_checks
from winnow.doctor.findings import Finding
from winnow.doctor.installation import demo_checkpoint
from winnow.doctor.smoke_run import smoke_run
from winnow.errors import ChecksFailed
from winnow.parameters.maintenance import Doctor


@flow(name="doctor")
@with_parameters(Doctor)
def doctor(settings: Doctor) -> list[Finding]:
    """Run all checks and publish their findings as a table; fails if one of them would stop a run."""
    findings = list(run_checks(settings, demo_checkpoint(), check_server, smoke_run))
    create_table_artifact(
        [finding.model_dump() for finding in findings], key="doctor", description="Findings of the doctor"
    )
    failures = [finding for finding in findings if finding.state == "failed"]
    if failures:
        raise ChecksFailed(
            "; ".join(f"{finding.check}: {finding.message} (remedy: {finding.remedy})" for finding in failures)
        )
    return findings


if __name__ == "__main__":
    from cli.app import main

    main(["doctor", *sys.argv[1:]])
