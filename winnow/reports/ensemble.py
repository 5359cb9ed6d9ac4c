"""The figures of an ensemble's report: how good each model is alone, and how far they agree."""

import pyarrow as pa
import pyarrow.compute as pc

from winnow.parameters.ensemble import Ensemble
from winnow.reports.agreement import summarize_agreement
from winnow.reports.counts import rows_where
from winnow.reports.summary import Report, count_decisions, distribution
from winnow.reports.throughput import Throughput
from winnow.roles import Role
from winnow.schema import ShardedManifest


def summarize_ensemble(
    rows: pa.Table, manifest: ShardedManifest, speed: dict[Role, Throughput], settings: Ensemble
) -> Report:
    """The report over all judged rows of an ensemble; raises if they are not the manifest's lines, each once."""
    heard = rows.filter(pc.not_equal(rows["decision"], "quarantine"))
    rates = {"all": distribution(heard), "kept": distribution(rows_where(rows, "decision", "keep"))}
    return Report(
        **count_decisions(rows, manifest, settings.filter),
        wer=rates | {role: distribution(heard, role) for role in speed},
        agreement=summarize_agreement(heard),
        speed=speed,
    )
