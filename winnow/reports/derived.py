"""What a run that reuses the hypotheses of another one takes over from it."""

from pathlib import Path

from winnow.evidence.calibration import Calibration
from winnow.models.passes import judges_by_evidence
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.reports.summary import Report
from winnow.runs.completion import read_report
from winnow.runs.evidence import calibrate_shards
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import read_schema
from winnow.schema import PLANTED
from winnow.sweep.outcomes import run_stages


def calibration_of(original: Path, settings: Settings) -> Calibration | None:
    """Return what the planted errors of a complete run tell by other settings; None if it is not judged by evidence."""
    if not isinstance(settings, Curation) or not judges_by_evidence(settings):
        return None
    scored = run_stages(original)["score"]
    if PLANTED not in read_schema(scored[0]).names:
        return None
    before = Report.model_validate_json(read_report(original))
    if before.calibration and load_settings(original).filter == settings.filter:
        return before.calibration
    return calibrate_shards(scored, settings, before.gates)
