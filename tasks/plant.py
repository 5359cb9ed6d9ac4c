"""Plant errors into a sample of the references; models score them, and no output has them."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.languages import language_group
from winnow.evidence.planting import SampleShares, plant_errors, sample_shares
from winnow.parameters.curation import Curation
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.shard_files import read_columns
from winnow.schema import PLANTED, PLANTED_ERRORS, after_plant, append_columns
from winnow.text.comparison import Comparison
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer


def plant(loaded: pa.Table, shares: SampleShares, comparison: Comparison | Normalizer) -> pa.Table:
    """Add the errors of each row: none, or one of each kind for these shares of the rows with a reference."""
    languages = row_languages(loaded["fields"].to_pylist())
    errors = plant_errors(loaded, shares.of(languages), comparison, languages)
    rows = [[error._asdict() for error in row] or None for row in errors]
    return append_columns(loaded, after_plant(loaded.schema), {PLANTED: pa.array(rows, PLANTED_ERRORS)})


@task(task_run_name="plant {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def plant_shard(shard: Path, shares: SampleShares, comparison: Comparison) -> Path:
    settings = {"comparison": comparison, "version": comparison.version}

    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return plant(rows, shares, comparison)

    return run_stage_on_shard(shard, "plant", stage, shares=shares, **settings)


@task(task_run_name="choose sample for planted errors", cache_policy=NO_CACHE, **RETRY)
def choose_sample_shares(shards: list[Path], settings: Curation) -> SampleShares:
    """Return the shares of the utterances that errors are planted into, by the languages of all loaded shards."""
    counts: Counter[str | None] = Counter()
    for shard in shards:
        rows = read_columns(shard, ["fields", "reason"])
        counts.update(row_languages(rows["fields"].filter(pc.is_null(rows["reason"])).to_pylist()))
    groups: Counter[str | None] = Counter()
    for tag, count in counts.items():
        groups[language_group(tag, settings.languages)] += count
    return sample_shares(groups)
