"""How often each reference occurs in a run, counted after the whole manifest was read and before rows are judged."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import xxhash

from winnow.schema import DUPLICATES
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer, normalize

REFERENCE_COLUMNS = ["text", "reason", "fields"]
"""The columns that references are counted by."""


def hash_references(rows: pa.Table, normalizer: Normalizer) -> pa.Array:
    """Return 64 bits for each normalized reference; null for one without words and for quarantined rows."""
    columns = (rows["text"].to_pylist(), rows["reason"].to_pylist(), row_languages(rows["fields"].to_pylist()))
    texts = [
        normalize(text, normalizer, language) if reason is None and text is not None else None
        for text, reason, language in zip(*columns, strict=True)
    ]
    return pa.array([xxhash.xxh3_64_intdigest(text.encode()) if text else None for text in texts], pa.uint64())


def count_duplicates(shards: Iterable[pa.Array]) -> Iterator[pa.Table]:
    """Yield for each shard, given its hashes, the table `DUPLICATES`: copies of each reference, and which one a row is.

    Takes about forty bytes of memory per row, however long the texts are.
    """
    arrays = list(shards)
    hashes = pa.chunked_array(arrays, pa.uint64()).drop_null().to_numpy()
    order = np.argsort(hashes, kind="stable")
    starts = np.flatnonzero(np.diff(hashes[order], prepend=hashes[order][:1] + np.uint64(1)))
    sizes = np.diff([*starts, len(hashes)])
    counts = np.empty((2, len(hashes)), np.int64)  # copies, occurrence
    counts[0, order] = np.repeat(sizes, sizes)
    counts[1, order] = np.arange(len(hashes)) - np.repeat(starts, sizes) + 1
    begin = 0
    for array in arrays:
        size = len(array) - array.null_count
        columns = np.zeros((2, len(array)), np.int64)
        mask = array.is_valid().to_numpy(zero_copy_only=False)
        columns[:, mask] = counts[:, begin : begin + size]
        yield pa.table([pa.array(column, mask=~mask) for column in columns], schema=DUPLICATES)
        begin += size
