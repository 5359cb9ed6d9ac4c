"""Which references a run has more than once: known when the last line was read, before the first row is judged."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import xxhash

from winnow.schema import DUPLICATES
from winnow.text.normalize import Normalizer, normalize


def hash_references(rows: pa.Table, normalizer: Normalizer) -> pa.Array:
    """64 bits for each reference as it is compared; null where there are no words, or nothing to read."""
    plain = [
        normalize(text, normalizer) if reason is None and text is not None else None
        for text, reason in zip(rows["text"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    ]
    return pa.array([xxhash.xxh3_64_intdigest(text.encode()) if text else None for text in plain], pa.uint64())


def count_duplicates(shards: Iterable[pa.Array]) -> Iterator[pa.Table]:
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
        yield pa.table([pa.array(column, mask=~mask) for column in spread], schema=DUPLICATES)
        begin += size
