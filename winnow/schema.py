"""The columns of a shard, stage by stage. NeMo's names where NeMo has one; null always means unknown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from winnow.audio.measurements import MEASUREMENTS
from winnow.roles import Role, band_of, is_larger
from winnow.text.metrics import METRICS

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
        pa.field("detail", pa.string()),  # what was found there, in words
    ]
)

SHARD = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),  # path or URL of the input
        pa.field("folder", pa.string(), nullable=False),  # where relative audio paths start
        pa.field("lines", pa.int64(), nullable=False),
        pa.field("blank", pa.int64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),  # of audio, as the input states
        pa.field("locator", pa.string(), nullable=False),  # JSON, by which the source finds these rows
    ]
)
"""A shard before it is loaded: one row that says which part of which input it is."""

AUDIO_STATS = pa.schema([pa.field(measurement.name, measurement.type) for measurement in MEASUREMENTS])
"""The columns that are measured in the audio."""


def extend_schema(schema: pa.Schema, *fields: tuple[str, pa.DataType]) -> pa.Schema:
    for name, kind in fields:
        schema = schema.append(pa.field(name, kind))
    return schema


WORDS = pa.list_(pa.struct([("word", pa.string()), ("start", pa.float64()), ("end", pa.float64())]))
"""Words with their start and end, in seconds from the start of the utterance."""

HYPOTHESIS = {
    "pred_text": pa.string(),
    "tokens": pa.int32(),
    "confidence": pa.float64(),  # of the utterance, 0 to 1
    "word_confidence": pa.list_(pa.float64()),
    "words": WORDS,  # where timestamps were asked for
    "model": pa.string(),  # which checkpoint was asked, as the run names it
}

SCORES = {name: {float: pa.float64(), int: pa.int32()}[metric.type] for name, metric in METRICS.items()}
"""The errors of a hypothesis, as `winnow.text.metrics` declares them."""

AGREEMENT = {"agreement": pa.float64()}
"""The mean share (0 to 1) of the models that have what the reading has; null where only one model read."""

DECISION = {
    "char_rate": pa.float64(),  # characters and words of the reference a second
    "word_rate": pa.float64(),
    "pred_text": pa.string(),
    "wer": pa.float64(),
    "cer": pa.float64(),
    "confidence": pa.float64(),
    "agreement": pa.float64(),
    "model": pa.string(),  # whose reading counts
    "decision": pa.string(),
    "reasons": pa.list_(pa.string()),  # every rule that a dropped row breaks; `reason` is the first
}
"""The reading that counts, what it is judged by, and keep, drop or quarantine."""


def after_transcribe(schema: pa.Schema, role: Role) -> pa.Schema:
    """The schema after a pass: what the model of this role read; null where it was not asked. The first measures."""
    measured = [] if "sample_rate" in schema.names else [(field.name, field.type) for field in AUDIO_STATS]
    return extend_schema(schema, *measured, *((f"{role}_{name}", kind) for name, kind in HYPOTHESIS.items()))


def after_score(schema: pa.Schema, role: Role) -> pa.Schema:
    """The schema after scoring a pass; that of a larger model is also compared with the readings before it."""
    added = SCORES | AGREEMENT if is_larger(role) else SCORES
    return extend_schema(schema, *((f"{role}_{name}", kind) for name, kind in added.items()))


def after_gate(schema: pa.Schema, role: Role) -> pa.Schema:
    """The schema behind the gate of this model: accept, escalate or reject; behind the first one, what is audited."""
    schema = extend_schema(schema, (band_of(role), pa.string()))
    return after_sample(schema) if role == "small" and "audit" not in schema.names else schema


def after_sample(schema: pa.Schema) -> pa.Schema:
    """The schema with what the large model reads although nothing depends on it."""
    return extend_schema(schema, ("audit", pa.bool_()))


def after_combine(schema: pa.Schema) -> pa.Schema:
    """The schema after a vote: its reading, how good that is, and whose it is."""
    given = {"pred_text": pa.string(), "confidence": pa.float64()} | AGREEMENT
    return extend_schema(schema, *((f"ensemble_{name}", kind) for name, kind in given.items()), ("model", pa.string()))


def after_filter(schema: pa.Schema) -> pa.Schema:
    """The schema after the rules: the reading that counts, and keep, drop or quarantine."""
    added = DECISION.items()
    return extend_schema(schema, *((name, kind) for name, kind in added if name not in schema.names))


BEFORE_FILTER = after_score(
    after_transcribe(after_gate(after_score(after_transcribe(UTTERANCE, "small"), "small"), "small"), "large"), "large"
)
FILTERED = after_filter(BEFORE_FILTER)
"""A shard after the last stage, with or without a large model."""

DUPLICATES = pa.schema([pa.field("copies", pa.int64()), pa.field("occurrence", pa.int64())])
"""How many rows of the run have this reference, and which of them this is; null where it cannot be told."""


def roles_of(schema: pa.Schema) -> list[Role]:
    """Whose readings a shard has, in the order in which they came."""
    return [name.removesuffix("_pred_text") for name in schema.names if name.endswith("_pred_text")]


def append_columns(table: pa.Table, schema: pa.Schema, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return the table with `columns` behind its own, which together are the columns of `schema`, in its order.

    Raises ValueError where a column of the schema is missing, another is given, or one has a different type.
    """
    expected = schema.names[len(table.schema) :]
    if table.schema.names + expected != schema.names or set(columns) != set(expected):
        raise ValueError(f"columns {sorted(columns)}: expected {sorted(expected)} behind {table.schema.names}")
    for name, column in columns.items():
        if column.type != schema.field(name).type:
            raise ValueError(f"column {name}: expected {schema.field(name).type}, got {column.type}")
    return pa.table([*table.columns, *(columns[name] for name in expected)], names=schema.names).cast(schema)


def replace_column(table: pa.Table, name: str, values: pa.Array | list[object]) -> pa.Table:
    """The table with other values in one of its columns."""
    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    column = values if isinstance(values, pa.ChunkedArray | pa.Array) else pa.array(values, field.type)
    return table.set_column(at, field, column)


def select_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table in the schema's columns; null in those that it lacks."""
    columns = [
        table[field.name] if field.name in table.schema.names else pa.nulls(len(table), field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


@dataclass(frozen=True)
class ShardedManifest:
    """A manifest cut into shards (with the seconds of audio that each should have), and how many lines it has."""

    shards: list[Path]
    seconds: list[float]
    lines: int
    blank: int


FIELD_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "long": pa.int64(),  # beyond 2**53, where floats skip integers
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
"""The columns of unknown fields; whatever else they hold (lists, objects, a mixture) is kept as JSON in a string."""


def output_names(fields: Iterable[str], ours: Iterable[str] = FILTERED.names) -> dict[str, str]:
    """What the manifest's own fields are called in the output: a name of ours gets `input_` before it, no two alike."""
    columns = set(ours)
    taken = set(fields) | columns
    names = {}
    for field in fields:
        name = field
        while name in columns or (name != field and name in taken):
            name = f"input_{name}"
        names[field] = name
        taken.add(name)
    return names


QUARANTINE_REASONS = {
    "BAD_JSON": "the line is not a JSON object",
    "NOT_UTF8": "the line is not UTF-8",
    "LONE_SURROGATE": "half of a character that is written as two, which no file can hold",
    "LINE_TOO_LONG": "the line is longer than 1 MiB",
    "DUPLICATE_KEY": "a field is there twice, and nothing says which is meant",
    "PATH_OUTSIDE_ROOT": "the path leads out of the audio root, or to a device or pipe",
    "NO_AUDIO_PATH": "no path in audio_filepath",
    "UNSUPPORTED_SCHEME": "audio_filepath is a URL or a command",
    "BAD_OFFSET": "the offset is negative, no number, or past the end of the audio",
    "BAD_DURATION": "the duration is zero, negative or no number",
    "BAD_TEXT": "no text to compare with",
    "DUPLICATE_UTT": "the same audio, offset and duration as an earlier line",
    "EMPTY_REFERENCE": "no words in the text once punctuation is gone",
    "AUDIO_MISSING": "the audio file is not there",
    "AUDIO_IO": "the audio could not be read from its disk",
    "AUDIO_UNREADABLE": "the audio cannot be decoded",
    "BAD_FORMAT": "an absurd sample rate or number of channels",
    "BAD_HEADER": "the header lies about how much audio there is",
    "DURATION_MISMATCH": "the audio is not as long as stated: often a truncated file",
    "TOO_SHORT": "less than 0.1 s of audio",
    "TOO_LONG": "longer than the engine's limit",
    "NONFINITE_AUDIO": "infinite, undefined or absurdly large samples",
    "NONFINITE_SCORE": "the model's scores are not finite",
    "MODEL_MISALIGNED": "the model gave no reading, or more than one",
    "OOM_SINGLE": "the utterance by itself does not fit into the device's memory",
    "MODEL_ERROR": "the model failed on this utterance",
    "WORKER_KILLED": "every process that heard it died",
    "TRANSCRIPT_MISSING": "the file of transcripts has none of this utterance",
}
"""Why there is nothing to judge, in words."""
