"""Ask a model for the sentences of a shard's recordings whose place in them is doubtful."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.runs import ledger
from winnow.segmenting.asking import ask_questions
from winnow.segmenting.placing import PlaceOptions


@task(task_run_name="ask {parts.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def ask_shard(parts: Path, recordings: Path, options: PlaceOptions) -> Path:
    return ledger.join_shards([parts, recordings], "ask", ask_questions, options=options)
