"""The figures of an ensemble's report: how good each model is alone, and how far they agree."""

import pyarrow as pa
import pyarrow.compute as pc

from tasks.parameters.ensemble import Ensemble
from tasks.reports.agreements import agreement
from tasks.reports.quality import Report, counts, distribution
from tasks.reports.shares import only
from tasks.reports.speeds import Speed
from tasks.schema import Manifest, Role


def assess_ensemble(rows: pa.Table, manifest: Manifest, speed: dict[Role, Speed], settings: Ensemble) -> Report:
    """The report over all judged rows of an ensemble; raises if they are not the manifest's lines, each once."""
    heard = rows.filter(pc.not_equal(rows["decision"], "quarantine"))
    rates = {"all": distribution(heard), "kept": distribution(only(rows, "decision", "keep"))}
    return Report(
        **counts(rows, manifest, settings.filter),
        wer=rates | {role: distribution(heard, role) for role in speed},
        agreement=agreement(heard),
        speed=speed,
    )
