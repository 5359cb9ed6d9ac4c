"""Place the texts of a shard's recordings in their parts."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.runs import ledger
from winnow.runs.shard_files import read_table, store_table
from winnow.segmenting.placing import PlaceOptions, place_texts


def place(parts: Path, recordings: Path, options: PlaceOptions) -> Path:
    """Place the texts of recordings, as they were loaded, in the parts that they were cut into."""
    output, name = ledger.run_of(parts), ledger.name_of(parts)
    key = ledger.key_of("place", parts.name, recordings.name, options)
    if (record := ledger.find_record(output, key)) is None:
        placed = place_texts(read_table(parts), read_table(recordings), options)
        file = store_table(output / ledger.STAGES / "place", name, placed)
        record = ledger.commit(output, key, [file], stage="place", shard=name, rows=placed.num_rows)
    return ledger.files_of([parts], record)[0]


@task(task_run_name="place {parts.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def place_shard(parts: Path, recordings: Path, options: PlaceOptions) -> Path:
    return place(parts, recordings, options)
