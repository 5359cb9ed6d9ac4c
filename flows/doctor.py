"""Doctor: look at the machine that a worker runs on, and at the models that a run is to read with."""

import sys

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.server.check import check_server
from flows.with_parameters import with_parameters
from winnow.doctor.checks import run_checks
from winnow.doctor.findings import Finding
from winnow.doctor.smoke_run import demo_checkpoint, smoke_run
from winnow.errors import ChecksFailed
from winnow.parameters.maintenance import Doctor


@flow(name="doctor")
@with_parameters(Doctor)
def doctor(settings: Doctor) -> list[Finding]:
    """Every finding, as a table; the run fails if one of them would stop a run."""
    found = list(run_checks(settings, demo_checkpoint(), check_server, smoke_run))
    create_table_artifact([one.model_dump() for one in found], key="doctor", description="What the doctor found")
    if failed := [f"{one.check}: {one.found} (remedy: {one.remedy})" for one in found if one.state == "failed"]:
        raise ChecksFailed("; ".join(failed))
    return found


if __name__ == "__main__":
    from cli.app import main

    main(["doctor", *sys.argv[1:]])
