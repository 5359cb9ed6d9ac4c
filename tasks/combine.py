"""One reading out of those of several models, and how far they agree with it."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.errors import OptionError
from winnow.parameters.ensemble import Method
from winnow.roles import ENSEMBLE, Role
from winnow.runs.ledger import run_stage_on_shard
from winnow.schema import after_combine, append_columns
from winnow.text.hypothesis import Hypothesis
from winnow.text.normalize import Normalizer, version_of
from winnow.text.rover import Consensus, VoteWeights, most_confident, rover


def combine(heard: pa.Table, roles: list[Role], method: Method, votes: VoteWeights, normalizer: Normalizer) -> pa.Table:
    """Add the ensemble's reading, whose it is, and the models' agreement with it; null where a model has none."""
    found: list[tuple[Consensus, float | None, Role] | None] = []
    by_role = zip(*(hypotheses_of(heard, role) for role in roles), strict=True)
    for number, reason, row in zip(heard["id"].to_pylist(), heard["reason"].to_pylist(), by_role, strict=True):
        given = [reading for reading in row if reading is not None]
        if reason is not None or len(given) < len(roles):
            found.append(None)
        elif method == "rover":
            found.append((rover(given, normalizer, votes), None, ENSEMBLE))
        else:
            check_confidence(number, roles, given)
            consensus, best = most_confident(given, normalizer)
            found.append((consensus, given[best].confidence, roles[best]))
    columns = {
        "ensemble_pred_text": pa.array([one and one[0].text for one in found], pa.string()),
        "ensemble_confidence": pa.array([one and one[1] for one in found], pa.float64()),
        "ensemble_agreement": pa.array([one and one[0].agreement for one in found], pa.float64()),
        "model": pa.array([one and one[2] for one in found], pa.string()),
    }
    return append_columns(heard, after_combine(heard.schema), columns)


def hypotheses_of(heard: pa.Table, role: Role) -> list[Hypothesis | None]:
    """What a model read."""
    names = ("pred_text", "tokens", "confidence", "word_confidence")
    rows = zip(*(heard[f"{role}_{name}"].to_pylist() for name in names), strict=True)
    return [None if row[0] is None else Hypothesis(*row) for row in rows]


def check_confidence(number: int, roles: list[Role], given: list[Hypothesis]) -> None:
    """Raise where a reading says something and not how sure it is."""
    for role, reading in zip(roles, given, strict=True):
        if reading.text and reading.confidence is None:
            raise OptionError(
                f"method confidence: {role} read line {number} without a confidence; only rover does without"
            )


@task(task_run_name="combine {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def combine_shard(shard: Path, roles: list[Role], method: Method, votes: VoteWeights, normalizer: Normalizer) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return combine(rows, roles, method, votes, normalizer)

    settings = {"roles": roles, "method": method, "votes": votes, "normalizer": normalizer}
    return run_stage_on_shard(shard, "combine", stage, version=version_of(normalizer), **settings)
