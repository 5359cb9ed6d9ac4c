"""Plant errors into a sample of the references; models score them, and no output has them."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.planting import plant_errors
from winnow.runs.ledger import run_stage_on_shard
from winnow.schema import PLANTED, PLANTED_ERRORS, after_plant, append_columns
from winnow.text.comparison import Comparison
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer


def plant(loaded: pa.Table, share: float, comparison: Comparison | Normalizer) -> pa.Table:
    """Add the errors of each row: none, or one of each kind for this share (0 to 1) of the rows with a reference."""
    errors = plant_errors(loaded, share, comparison, row_languages(loaded["fields"].to_pylist()))
    rows = [[error._asdict() for error in row] or None for row in errors]
    return append_columns(loaded, after_plant(loaded.schema), {PLANTED: pa.array(rows, PLANTED_ERRORS)})


@task(task_run_name="plant {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def plant_shard(shard: Path, share: float, comparison: Comparison) -> Path:
    settings = {"comparison": comparison, "version": comparison.version}

    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return plant(rows, share, comparison)

    return run_stage_on_shard(shard, "plant", stage, share=share, **settings)
