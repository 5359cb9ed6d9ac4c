"""Incremental: curate what is new in a growing manifest; every utterance is curated in one of the runs."""

import logging
import sys
from itertools import pairwise
from pathlib import Path

from prefect import flow

from flows.curate import run_curation
from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.run_name import run_name
from flows.with_parameters import with_parameters
from tasks.diff import diff_runs
from winnow.corpora.registry import open_source
from winnow.errors import OutputError, WinnowError
from winnow.parameters.curation import Curation
from winnow.reports.summary import Report
from winnow.runs.incremental import manifest_path, open_increments
from winnow.runs.run_record import load_settings
from winnow.validation.before_start import check_increments

log = logging.getLogger("winnow")


@flow(name="incremental", flow_run_name=run_name("{manifest} to {output}"))
@with_parameters(Curation)
def incremental(settings: Curation) -> dict[str, Report]:
    """Curate what is new in a growing manifest as a run below the output; unfinished runs are finished first."""
    return run_increments(settings, PrefectOrchestrator())


def run_increments(settings: Curation, orchestrator: Orchestrator) -> dict[str, Report]:
    """Finish unfinished runs with their own parameters, then curate what is new; return each run's report."""
    check_increments(settings)  # raises before a run is added
    folder = open_source(settings.manifest, settings.audio_folder).folder
    with open_increments(settings.output, orchestrator.owner(), settings.referenced) as increments:
        reports = {str(run): curate_increment(run, settings, folder, orchestrator) for run in increments.unfinished}
        if run := increments.add(settings.manifest, folder):
            reports[str(run)] = curate_increment(run, settings, folder, orchestrator)
        for before, after in pairwise(increments.runs):
            if str(after) in reports:
                compare_with_last(before, after, orchestrator)
    if not reports:
        log.info("nothing new in %s", settings.manifest)
    return reports


def curate_increment(run: Path, settings: Curation, folder: str, orchestrator: Orchestrator) -> Report:
    """Start or resume the run over one increment."""
    if (run / "run.json").exists():
        recorded = load_settings(run)
        if not isinstance(recorded, Curation):
            raise OutputError(f"{run}: a run of `winnow ensemble`: choose another output")
        settings = recorded.model_copy(update={"max_quarantined": settings.max_quarantined})
    else:
        paths = {"manifest": str(manifest_path(run)), "output": str(run), "relative_to": folder}
        settings = settings.model_copy(update=paths)
    return run_curation(settings, orchestrator)


def compare_with_last(before: Path, after: Path, orchestrator: Orchestrator) -> None:
    """Show what differs from the increment before; if it cannot be read, the new one is complete all the same."""
    try:
        orchestrator.run(diff_runs, before, after, orchestrator)
    except WinnowError as error:
        log.warning("%s is not compared with %s: %s", after, before, error)


if __name__ == "__main__":
    from cli.app import main

    main(["incremental", *sys.argv[1:]])
