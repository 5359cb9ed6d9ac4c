"""The columns of a shard, stage by stage. NeMo's names where NeMo has one; null always means unknown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel

Role = Literal["small", "large"]
"""Which of the cascade's two models a reading is from."""

UTTERANCE = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),  # the line in the manifest, from 1
        pa.field("audio_filepath", pa.string()),  # as the manifest has it
        pa.field("path", pa.string()),  # where that is, absolute
        pa.field("offset", pa.float64()),  # seconds; null: the whole file
        pa.field("duration", pa.float64()),  # seconds
        pa.field("text", pa.string()),  # the reference
        pa.field("fields", pa.string()),  # the manifest's other fields, as JSON
        pa.field("reason", pa.string()),  # why the utterance cannot be read; null while it can
    ]
)


def with_fields(schema: pa.Schema, *fields: tuple[str, pa.DataType]) -> pa.Schema:
    for name, kind in fields:
        schema = schema.append(pa.field(name, kind))
    return schema


def heard(schema: pa.Schema, role: Role) -> pa.Schema:
    """The schema after a pass: what the model of this role read; null where it was not asked."""
    return with_fields(schema, (f"{role}_pred_text", pa.string()))


def scored(schema: pa.Schema, role: Role) -> pa.Schema:
    """The schema after scoring a pass: its word error rate as a fraction."""
    return with_fields(schema, (f"{role}_wer", pa.float64()))


def gated(schema: pa.Schema) -> pa.Schema:
    """The schema after the gate: accept, escalate or reject."""
    return with_fields(schema, ("band", pa.string()))


def judged(schema: pa.Schema) -> pa.Schema:
    """The schema after the rules: the reading that counts, and keep, drop or quarantine."""
    return with_fields(
        schema,
        ("pred_text", pa.string()),
        ("wer", pa.float64()),
        ("model", pa.string()),
        ("decision", pa.string()),
    )


BEFORE_RULES = scored(heard(gated(scored(heard(UTTERANCE, "small"), "small")), "large"), "large")
JUDGED = judged(BEFORE_RULES)
"""A shard after the last stage, with or without a large model."""


def append(table: pa.Table, schema: pa.Schema, *columns: pa.Array) -> pa.Table:
    """The table with new columns behind the others, cast to what `schema` says of them."""
    return pa.table([*table.columns, *columns], names=schema.names).cast(schema)


def replaced(table: pa.Table, name: str, values: pa.Array | list[object]) -> pa.Table:
    """The table with other values in one of its columns."""
    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    column = values if isinstance(values, pa.ChunkedArray | pa.Array) else pa.array(values, field.type)
    return table.set_column(at, field, column)


def with_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table in the schema's columns; null in those that it lacks."""
    columns = [
        table[field.name] if field.name in table.schema.names else pa.nulls(len(table), field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


class Manifest(BaseModel, frozen=True):
    """A manifest in shards: how many lines it has, and the simplest type of each field that is not ours."""

    shards: list[Path]
    lines: int
    blank: int
    fields: dict[str, str]


FIELD_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "long": pa.int64(),  # beyond 2**53, where floats skip integers
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
"""The columns of unknown fields; whatever else they hold (lists, objects, a mixture) is kept as JSON in a string."""


def output_names(fields: Iterable[str]) -> dict[str, str]:
    """What the manifest's own fields are called in the output: a name of ours gets `input_` before it, no two alike."""
    taken = set(fields) | set(JUDGED.names)
    names = {}
    for field in fields:
        name = field
        while name in JUDGED.names or (name != field and name in taken):
            name = f"input_{name}"
        names[field] = name
        taken.add(name)
    return names


QUARANTINED = {
    "BAD_JSON": "the line is not a JSON object",
    "NOT_UTF8": "the line is not UTF-8",
    "LINE_TOO_LONG": "the line is longer than 1 MiB",
    "NO_AUDIO_PATH": "no path in audio_filepath",
    "UNSUPPORTED_SCHEME": "audio_filepath is a URL or a command",
    "BAD_OFFSET": "the offset is negative, no number, or past the end of the audio",
    "BAD_DURATION": "the duration is negative or no number",
    "BAD_TEXT": "no text to compare with",
    "DUPLICATE_UTT": "the same audio, offset and duration as an earlier line",
    "EMPTY_REFERENCE": "no words in the text once punctuation is gone",
    "AUDIO_MISSING": "the audio file is not there",
    "NOT_A_FILE": "the path is a folder or a device",
    "AUDIO_IO": "the audio could not be read from its disk",
    "AUDIO_UNREADABLE": "the audio cannot be decoded",
    "BAD_FORMAT": "an absurd sample rate or number of channels",
    "BAD_HEADER": "the audio ends before its header says",
    "DURATION_MISMATCH": "the audio is not as long as stated: often a truncated file",
    "TOO_SHORT": "less than 0.1 s of audio",
    "TOO_LONG": "longer than the engine's limit",
    "NONFINITE_AUDIO": "infinite or undefined samples",
    "MODEL_ERROR": "the model failed on this utterance",
}
"""Why there is nothing to judge, in words."""

DROPPED = {
    "DURATION_BELOW_MIN": "shorter than the filter's minimum",
    "DURATION_ABOVE_MAX": "longer than the filter's maximum",
    "CHAR_RATE_BELOW_MIN": "too few characters of text a second",
    "CHAR_RATE_ABOVE_MAX": "too many characters of text a second",
    "WER_ABOVE_REJECT": "the small model's WER is above the gate's reject band",
    "WER_ABOVE_MAX": "the WER of the reading that counts is above the filter's limit",
}
"""Why an utterance that was heard is not good enough, in words."""

REASONS = QUARANTINED | DROPPED
