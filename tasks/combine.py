"""Combine the hypotheses of several models into one, with their agreement on it."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.errors import OptionError
from winnow.parameters.ensemble import Method
from winnow.roles import ENSEMBLE, Role
from winnow.runs.ledger import run_stage_on_shard
from winnow.schema import after_combine, append_columns
from winnow.text.comparison import Comparison
from winnow.text.hypothesis import Hypothesis
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer
from winnow.text.rover import Consensus, VoteWeights, most_confident, rover


class Combination(NamedTuple):
    """An ensemble's hypothesis with its confidence, and the role whose text it is."""

    consensus: Consensus
    confidence: float | None
    model: Role


def combine(
    transcribed: pa.Table, roles: list[Role], method: Method, votes: VoteWeights, comparison: Comparison | Normalizer
) -> pa.Table:
    """Add the ensemble's hypothesis, its confidence and agreement, and its model; null if a model has no hypothesis."""
    combinations: list[Combination | None] = []
    by_role = zip(*(hypotheses_of(transcribed, role) for role in roles), strict=True)
    languages = row_languages(transcribed["fields"].to_pylist())
    rows = zip(transcribed["id"].to_pylist(), transcribed["reason"].to_pylist(), languages, by_role, strict=True)
    for line, reason, language, row in rows:
        hypotheses = [hypothesis for hypothesis in row if hypothesis is not None]
        if reason is not None or len(hypotheses) < len(roles):
            combinations.append(None)
        elif method == "rover":
            combinations.append(Combination(rover(hypotheses, comparison, votes, language), None, ENSEMBLE))
        else:
            check_confidence(line, roles, hypotheses)
            consensus, best = most_confident(hypotheses, comparison, language)
            combinations.append(Combination(consensus, hypotheses[best].confidence, roles[best]))
    columns = {
        "ensemble_pred_text": pa.array([row and row.consensus.text for row in combinations], pa.string()),
        "ensemble_confidence": pa.array([row and row.confidence for row in combinations], pa.float64()),
        "ensemble_agreement": pa.array([row and row.consensus.agreement for row in combinations], pa.float64()),
        "ensemble_lowest_agreement": pa.array(
            [row and row.consensus.lowest_agreement for row in combinations], pa.float64()
        ),
        "model": pa.array([row and row.model for row in combinations], pa.string()),
    }
    return append_columns(transcribed, after_combine(transcribed.schema), columns)


def hypotheses_of(transcribed: pa.Table, role: Role) -> list[Hypothesis | None]:
    """Return a model's hypotheses; None where it has none."""
    names = ("pred_text", "tokens", "confidence", "word_confidence")
    rows = zip(*(transcribed[f"{role}_{name}"].to_pylist() for name in names), strict=True)
    return [None if row[0] is None else Hypothesis(*row) for row in rows]


def check_confidence(line: int, roles: list[Role], hypotheses: list[Hypothesis]) -> None:
    """Raise OptionError if a hypothesis with a text has no confidence."""
    for role, hypothesis in zip(roles, hypotheses, strict=True):
        if hypothesis.text and hypothesis.confidence is None:
            raise OptionError(f"--method confidence: {role} has no confidence for line {line}: use --method rover")


@task(task_run_name="combine {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def combine_shard(shard: Path, roles: list[Role], method: Method, votes: VoteWeights, comparison: Comparison) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return combine(rows, roles, method, votes, comparison)

    settings = {"roles": roles, "method": method, "votes": votes, "comparison": comparison}
    return run_stage_on_shard(shard, "combine", stage, version=comparison.version, **settings)
