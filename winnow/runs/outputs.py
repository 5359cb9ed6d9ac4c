"""Forms of output: the files in which a run publishes its rows.

A new form is one function and its line in `FILES`. It is then written, recorded in `_SUCCESS.json` and verified like
the others.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from winnow.corpora.field_types import FIELD_TYPES
from winnow.rules.field_names import PREFIX, output_names
from winnow.schema import INPUT_TEXT, is_internal

INPUT_COLUMNS = ["id", "audio_filepath", "offset", "duration", "text"]
REASON_COLUMNS = ["reason", "reasons", "detail", "mended"]
HYPOTHESIS_FIELDS = ("id", "pred_text", "wer", "model")
LABEL_FIELDS = ("confidence", "agreement")

OutputFields = dict[str, str]
"""The type of each field of the input without a column, a key of FIELD_TYPES or `json`."""


def kept(rows: pa.Table) -> pa.Table:
    """Return the rows that were kept."""
    return rows.filter(pc.equal(rows["decision"], "keep"))


def rejected(rows: pa.Table) -> pa.Table:
    """Return the rows that were dropped or quarantined."""
    return rows.filter(pc.not_equal(rows["decision"], "keep"))


def nemo_manifest(shards: Iterable[pa.Table], fields: OutputFields) -> Iterator[bytes]:
    """Yield the kept rows as lines of a NeMo manifest, with absolute paths and every field of the input.

    The text of a row without a reference is its selected hypothesis, with its confidence and agreement. A relabelled
    row also has the reference of the input.
    """
    for shard in shards:
        names = output_names(fields)
        for row in kept(shard).to_pylist():
            place = {} if row["offset"] is None else {"offset": row["offset"]}
            labelled = row["wer"] is None
            text = row["pred_text"] if labelled else row["text"]
            line = {
                "audio_filepath": row["found_path"] or row["path"],
                **place,
                "duration": row["duration"],
                "text": text,
            }
            line |= {names[name]: value for name, value in msgspec.json.decode(row["fields"]).items()}
            line |= {name: row[name] for name in (*HYPOTHESIS_FIELDS, *(LABEL_FIELDS if labelled else ()))}
            if (before := row.get(INPUT_TEXT)) is not None:
                line[INPUT_TEXT] = before
            yield msgspec.json.encode(line) + b"\n"


def manifest_ids(path: Path) -> list[int]:
    """Return the ids in a NeMo manifest of kept rows."""
    with path.open("rb") as lines:
        return [json.loads(line)["id"] for line in lines]


@dataclass(frozen=True)
class FileForm:
    """A form of output that is one file.

    `write` yields its bytes from the judged shards, in order, and the types of the input's fields. `kept_ids` reads
    the ids of the kept rows back, to verify the file against the tables; without it, its hash alone is verified.
    """

    write: Callable[[Iterable[pa.Table], OutputFields], Iterator[bytes]]
    kept_ids: Callable[[Path], list[int]] | None = None


TABLES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "data": kept,
    "rejects": rejected,
}
"""Folders of Parquet, a file for each shard, with the rows that belong there: every row in one of them."""

FILES: dict[str, FileForm] = {
    "manifest.jsonl": FileForm(nemo_manifest, manifest_ids),
}
"""Single files, by name."""


def published_rows(judged: pa.Table, fields: OutputFields) -> pa.Table:
    """Return judged rows as they are published, with the input's fields as columns."""
    columns = {name: judged[name] for name in INPUT_COLUMNS}
    rows = [msgspec.json.decode(row) if row else {} for row in judged["fields"].to_pylist()]
    for name, output in output_names(fields).items():
        output = PREFIX + output if output in judged.schema.names else output  # a measure has a column of this name
        columns[output] = typed_column([row.get(name) for row in rows], fields[name])
    own = [name for name in judged.schema.names if not is_internal(name)]
    added = [name for name in own if name not in (*INPUT_COLUMNS, *REASON_COLUMNS)]
    return pa.table(columns | {name: judged[name] for name in [*added, *REASON_COLUMNS]})


def typed_column(values: list[Any], kind: str) -> pa.Array:
    """Return a field's values in a column of its type, as JSON if the type is not a simple one."""
    if kind in FIELD_TYPES:
        return pa.array(values, FIELD_TYPES[kind])
    return pa.array([None if value is None else msgspec.json.encode(value).decode() for value in values], pa.string())
