"""Relabel: dropped rows get their proposal as their text, with the scores and the evidence of the new text."""

from collections.abc import Set
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.new_texts import Values, new_scores
from winnow.evidence.proposals import scoring_roles
from winnow.roles import band_of
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.shard_files import read_columns
from winnow.schema import EVIDENCE, after_relabel, append_columns, replace_column, roles_of
from winnow.text.comparison import Comparison
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer
from winnow.verdicts.carried import decided_rows
from winnow.verdicts.keys import row_keys

DECIDED = ["decision", "proposal"]
"""The columns of a judged shard that tell which rows are relabelled."""


def relabel(
    scored: pa.Table, judged: pa.Table, comparison: Comparison | Normalizer, decided: Set[str] = frozenset()
) -> pa.Table:
    """Give dropped rows their proposal as their text, and add `input_text`, what it was; null in all other rows.

    `judged` are the same rows with DECIDED; rows whose keys are in `decided` stay as they are. A proposal is
    what all models read, so no model has any doubt about it, and gates that rejected the row accept it.
    """
    wrong = pc.and_(pc.equal(judged["decision"], "drop"), pc.is_valid(judged["proposal"]))
    if decided:
        wrong = pc.and_(wrong, pa.array([key not in decided for key in row_keys(scored)], pa.bool_()))
    rows = replace_column(scored, "text", pc.if_else(wrong, judged["proposal"], scored["text"]))
    before = pc.if_else(wrong, scored["text"], None)
    changed = np.flatnonzero(wrong)
    if len(changed):
        for name, values in new_values(rows.take(pa.array(changed)), comparison).items():
            column = rows[name].to_pylist()
            for i, value in zip(changed, values, strict=True):
                column[i] = value
            rows = replace_column(rows, name, column)
    return append_columns(rows, after_relabel(scored.schema), {"input_text": before})


def new_values(rows: pa.Table, comparison: Comparison | Normalizer) -> Values:
    """Return the columns of relabelled rows that depend on the text: scores, evidence, and decisions of gates."""
    languages, texts = row_languages(rows["fields"].to_pylist()), rows["text"].to_pylist()
    values = new_scores(rows, texts, comparison, languages)
    for role in roles_of(rows.schema):
        if band_of(role) in rows.schema.names:
            bands = rows[band_of(role)].to_pylist()
            values[band_of(role)] = ["accept" if band == "reject" else band for band in bands]
    for role in scoring_roles(rows.schema):
        read = [gap is not None for gap in rows[f"{role}_gap"].to_pylist()]
        for name, kind in EVIDENCE.items():
            no_doubt = 0.0 if pa.types.is_floating(kind) else None
            values[f"{role}_{name}"] = [no_doubt if is_read else None for is_read in read]
        listed = rows[f"{role}_doubtful_words"].is_valid().to_pylist()
        values[f"{role}_doubtful_words"] = [[] if is_listed else None for is_listed in listed]
    return values


@task(task_run_name="relabel {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def relabel_shard(shard: Path, judged: Path, comparison: Comparison, verdicts: Path | None = None) -> Path:
    """Relabel a scored shard by the decisions on its rows; `judged` may be a file of another run.

    Rows on which a verdict in the file `verdicts` stands are left to it.
    """

    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return relabel(rows, read_columns(judged, DECIDED), comparison, decided_rows(verdicts) if verdicts else set())

    settings = {"judged": judged.name, "comparison": comparison, "version": comparison.version}
    settings |= {"verdicts": verdicts.name} if verdicts else {}
    return run_stage_on_shard(shard, "relabel", stage, **settings)
