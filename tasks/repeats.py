"""Which references a run has more than once: known when the last line was read, before the first row is judged."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import ledger
from tasks.retry import RETRY
from tasks.schema import REPEATS
from tasks.storage import read_table
from tasks.text import Normalizer, normalize, version_of


def hashed(rows: pa.Table, normalizer: Normalizer) -> pa.Array:
    """64 bits for each reference as it is compared; null where there are no words, or nothing to read."""
    plain = [
        normalize(text, normalizer) if reason is None else None
        for text, reason in zip(rows["text"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    ]
    return pa.array([xxhash.xxh3_64_intdigest(text.encode()) if text else None for text in plain], pa.uint64())


def repeats(shards: Iterable[pa.Array]) -> Iterator[pa.Table]:
    """For each row of each shard, how many have its reference and which of them it is, given the hashes.

    Some forty bytes a row are held, whatever the texts.
    """
    arrays = list(shards)
    every = pa.chunked_array(arrays, pa.uint64())
    hashes = every.drop_null().to_numpy()
    order = np.argsort(hashes, kind="stable")
    starts = np.flatnonzero(np.diff(hashes[order], prepend=hashes[order][:1] + np.uint64(1)))
    sizes = np.diff([*starts, len(hashes)])
    found = np.empty((2, len(hashes)), np.int64)
    found[0, order] = np.repeat(sizes, sizes)
    found[1, order] = np.arange(len(hashes)) - np.repeat(starts, sizes) + 1
    begin = 0
    for array in arrays:
        size = len(array) - array.null_count
        spread = np.zeros((2, len(array)), np.int64)
        mask = array.is_valid().to_numpy(zero_copy_only=False)
        spread[:, mask] = found[:, begin : begin + size]
        yield pa.table([pa.array(column, mask=~mask) for column in spread], schema=REPEATS)
        begin += size


def count_files(shards: list[Path], normalizer: Normalizer) -> list[Path]:
    """A file of repeats for each shard, in their order."""
    run = ledger.run_of(shards[0])
    key = ledger.key_of("repeats", [shard.name for shard in shards], normalizer, version_of(normalizer))
    if (done := ledger.recorded(run, key)) is None:
        hashes = (hashed(read_table(shard, columns=["text", "reason"]), normalizer) for shard in shards)
        tables = zip(shards, repeats(hashes), strict=True)
        folder = run / ledger.STAGES / "repeats"
        files = [ledger.store(folder, ledger.name_of(shard), rows) for shard, rows in tables]
        done = ledger.record(run, key, files, stage="repeats", shard="all")
    return ledger.files_of(shards, done)


@task(task_run_name="count texts that are there again", cache_policy=NO_CACHE, **RETRY)
def count_texts(shards: list[Path], normalizer: Normalizer) -> list[Path]:
    return count_files(shards, normalizer)
