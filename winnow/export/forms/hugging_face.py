"""A Hugging Face dataset: Parquet files with `Audio` columns that `datasets.load_dataset` reads, and a card."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from winnow.export.card import dataset_card
from winnow.export.form import Entry, Example, ExportContext, ExportShard, ShardEntries

GROUP_ROWS = 100  # rows of a row group, which readers hold in memory; the hub's viewer wants small ones
DATASET_TYPES = {"double": "float64", "bool": "bool", "float": "float32"}
"""Types of `datasets` that are called otherwise in Arrow."""


class HuggingFace:
    """Parquet with the bytes of the audio."""

    default_part = ""

    def write(
        self, shard: ExportShard, examples: Iterator[Example], root: Path, context: ExportContext
    ) -> Iterator[Entry]:
        path = root / "data" / f"{shard.part or 'train'}-{shard.number:05d}-of-{shard.count:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = schema_of(context)
        with pq.ParquetWriter(path, schema, compression="zstd", write_page_index=True) as file:
            while group := list(islice(examples, GROUP_ROWS)):
                entries = [example.entry(name_of(example)) for example in group]
                rows = [cells(example, entry, schema) for example, entry in zip(group, entries, strict=True)]
                file.write_table(pa.Table.from_pylist(rows, schema))
                yield from entries

    def finish(self, shards: ShardEntries, root: Path, context: ExportContext) -> None:
        languages = sorted({str(entry["lang"]) for _, entries in shards for entry in entries() if entry.get("lang")})
        (root / "README.md").write_text(dataset_card(context, languages))


def name_of(example: Example) -> str:
    """Return what the audio of an example is called."""
    assert example.audio is not None
    return f"{example.row.key}.{example.audio.suffix}"


def schema_of(context: ExportContext) -> pa.Schema:
    """Return the columns, with what tells `datasets` that one is audio."""
    from datasets import Audio, Features, Value

    columns = {
        "audio": Audio(sampling_rate=context.settings.rate),
        "text": Value("string"),
        "duration": Value("float64"),
    }
    columns |= {name: Value(DATASET_TYPES.get(kind, kind)) for name, kind in context.columns}
    return Features(columns).arrow_schema


def cells(example: Example, entry: Entry, schema: pa.Schema) -> dict[str, Any]:
    """Return the row of an example; a value that is no text in a column of texts is written as JSON."""
    row: dict[str, Any] = {}
    for field in schema:
        value = entry.get(field.name)
        if pa.types.is_string(field.type) and not isinstance(value, str | None):
            value = msgspec.json.encode(value).decode()
        row[field.name] = value
    assert example.audio is not None
    return row | {"audio": {"bytes": example.audio.content, "path": name_of(example)}}
