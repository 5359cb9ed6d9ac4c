"""The key of a row: its audio, its place in it, and the reference of the manifest; never its line."""

import json

import pyarrow as pa
import xxhash

from winnow.schema import INPUT_TEXT

KEY_COLUMNS = ["audio_filepath", "offset", "duration", "audio_channel", "text", INPUT_TEXT]


def row_keys(rows: pa.Table) -> list[str]:
    """Return the key of each row of a shard: 32 hex digits."""
    names = [name for name in KEY_COLUMNS if name in rows.schema.names]
    return [row_key(row) for row in rows.select(names).to_pylist()]


def row_key(row: dict[str, object]) -> str:
    """Return the key of a row with the columns KEY_COLUMNS, of which `input_text` may be missing."""
    before = row.get(INPUT_TEXT)
    place = [row["audio_filepath"], seconds(row["offset"]), seconds(row["duration"]), row["audio_channel"]]
    reference = (row["text"] if before is None else before) or ""
    return xxhash.xxh3_128_hexdigest(json.dumps([*place, reference]).encode())


def seconds(value: object) -> float | None:
    """Return a time to the millisecond."""
    return round(value, 3) if isinstance(value, float) else None
