"""Place the texts of a shard's recordings in their parts."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.runs import ledger
from winnow.segmenting.placing import PlaceOptions, place_texts


@task(task_run_name="place {parts.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def place_shard(parts: Path, recordings: Path, options: PlaceOptions, answered: Path | None = None) -> Path:
    """Place texts by what was read, and by the answers to questions, if any were asked."""
    answers = [answered] if answered else []
    return ledger.join_shards([parts, recordings, *answers], "place", place_texts, options=options)
