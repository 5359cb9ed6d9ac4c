"""The rows of a run that its report is computed from."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from winnow.evidence.calibration import Calibration
from winnow.evidence.proposals import columns_for_readings, scoring_roles
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.reports.audit import audit_decisions
from winnow.reports.heard import PREFIX, heard_columns
from winnow.reports.slice_fields import MEASURED
from winnow.reports.slices import FIELD, field_columns
from winnow.reports.wer_distribution import EDIT_COUNTS
from winnow.roles import band_of
from winnow.rules.rule import Rules
from winnow.runs.shard_files import read_schema, read_table
from winnow.schema import INPUT_TEXT, REVIEW
from winnow.text.languages import row_languages
from winnow.validation.rules import rules_for

COMMON_COLUMNS = [
    *("id", "duration", "text", "reason", "reasons", "mended"),
    *("pred_text", "wer", "doubt", "agreement", "model", "proposal", "decision"),
]


def report_columns(settings: Settings) -> list[str]:
    """Return the columns that a report needs; only these are read."""
    if isinstance(settings, Ensemble):
        return [*COMMON_COLUMNS, *(f"{role}_{name}" for role in settings.roles for name in ("wer", *EDIT_COUNTS))]
    roles = settings.roles if settings.large else ["small", "large"]
    scores = [f"{role}_{name}" for role in roles for name in ("pred_text", "wer", *EDIT_COUNTS)]
    return [*COMMON_COLUMNS, *scores, *map(band_of, roles[:-1])]


def read_report_rows(filtered: list[Path], settings: Settings, calibration: Calibration | None) -> Iterator[pa.Table]:
    """Yield the rows of each shard: the report's columns, `language`, and `large_keeps`, the audit's decisions.

    Fields with few values are columns as well, those with many are columns of nulls; see `winnow.reports.slices`.
    """
    columns, rules = report_columns(settings), rules_for(settings, calibration)
    schema = read_schema(filtered[0])
    columns += optional_columns(schema, columns)
    heard = heard_columns(schema)
    for shard in filtered:
        yield read_shard(shard, columns, heard, rules)


def optional_columns(schema: pa.Schema, columns: list[str]) -> list[str]:
    """Return the further columns that a shard has of those about references in doubt, and of reviews."""
    wanted = {INPUT_TEXT, *REVIEW, *columns_for_readings(schema.names, scoring_roles(schema))}
    return [name for name in schema.names if name in wanted and name not in columns]


def read_shard(shard: Path, columns: list[str], heard: list[str], rules: Rules) -> pa.Table:
    """Read one filtered shard; all its columns only if the audit has to apply the rules again."""
    names = read_schema(shard).names
    measured = [name for name in MEASURED if name in names]
    audited = "audit" in names and pc.any(read_table(shard, columns=["audit"])["audit"]).as_py()
    rows = read_table(shard, columns=None if audited else [*columns, *measured, *heard, "fields"])
    fields = rows["fields"].to_pylist()
    few_valued, crowded = field_columns(fields)
    added = {
        "language": pa.array(row_languages(fields), pa.string()),
        "large_keeps": audit_decisions(rows, rules) if audited else pa.nulls(len(rows), pa.bool_()),
        **{f"{PREFIX}{name}": rows[name] for name in heard},
        **{f"{FIELD}{name}": pc.cast(rows[name], pa.string()).dictionary_encode() for name in measured},
        **few_valued,
        **dict.fromkeys(sorted(crowded), pa.nulls(len(rows))),
    }
    return pa.table({**{name: rows[name] for name in columns}, **added})
