"""Nightly: curate what is new in a manifest that grows; every utterance comes out of one of the nights."""

import logging
import sys
from pathlib import Path

from prefect import flow

from flows.curate import curate
from flows.server.monitor import current_flow_run
from flows.with_parameters import with_parameters
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.reports.summary import Report
from winnow.runs.incremental import manifest_path, open_increments
from winnow.runs.run_dir import load_settings
from winnow.validation.rules import rules_for

log = logging.getLogger("winnow")


@flow(name="incremental", flow_run_name="{manifest.name} to {output}")
@with_parameters(Curation)
def incremental(settings: Curation) -> dict[str, Report]:
    """The report of each night by its folder: those that were interrupted are finished as they were asked for.

    Then what is new has a night of its own.
    """
    rules_for(settings)  # raises before there is a night
    folder = settings.relative_to or settings.audio_root or settings.manifest.parent
    with open_increments(settings.output, current_flow_run(), settings.referenced) as nights:
        reports = {str(run): curate_increment(run, settings, folder) for run in nights.unfinished}
        if run := nights.add(settings.manifest, str(folder.absolute())):
            reports[str(run)] = curate_increment(run, settings, folder)
    if not reports:
        log.info("nothing new in %s", settings.manifest)
    return reports


def curate_increment(run: Path, settings: Settings, folder: Path) -> Report:
    """The run of one night, begun or gone on with."""
    if (run / "run.json").exists():
        settings = load_settings(run).model_copy(update={"max_quarantined": settings.max_quarantined})
    else:
        places = {"manifest": manifest_path(run), "output": str(run), "relative_to": folder.absolute()}
        settings = settings.model_copy(update=places)
    report: Report = curate.fn(**{name: getattr(settings, name) for name in Curation.model_fields})
    return report


if __name__ == "__main__":
    from cli.app import main

    main(["incremental", *sys.argv[1:]])
