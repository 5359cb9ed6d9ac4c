"""The columns of a shard after each stage, by NeMo's names where it has one. Null always means unknown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from winnow.audio.measurements import MEASUREMENTS
from winnow.listening.measure import Column
from winnow.roles import ENSEMBLE, Role, band_of, is_larger, position_of
from winnow.text.metrics import METRICS

UTTERANCE = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),  # line of the manifest, from 1
        pa.field("audio_filepath", pa.string()),  # as in the manifest
        pa.field("path", pa.string()),  # the same, absolute; see winnow.audio.places
        pa.field("found_path", pa.string()),  # of a file that has another name on the disk; null if it has this one
        pa.field("offset", pa.float64()),  # seconds; null means the whole file
        pa.field("duration", pa.float64()),  # seconds
        pa.field("duration_rounding", pa.float64()),  # 0.5 s if it is written without decimals, else null
        pa.field("audio_channel", pa.int32()),  # from 0; null means the mix of all channels
        pa.field("text", pa.string()),  # the reference
        pa.field("fields", pa.string()),  # the other fields of the manifest, as JSON
        pa.field("reason", pa.string()),  # why the utterance is quarantined or dropped; null if it is not
        pa.field("detail", pa.string()),  # what was found, in words
        pa.field("mended", pa.list_(pa.string())),  # keys of MENDINGS; null if the row was well written
        pa.field("same_audio", pa.int64()),  # first line with the same audio, of several lines with different texts
    ]
)

SHARD = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),  # path or URL of the input
        pa.field("folder", pa.string(), nullable=False),  # where relative audio paths start
        pa.field("columns", pa.string()),  # what fields of rows are called, as in --columns; absent in older runs
        pa.field("lines", pa.int64(), nullable=False),
        pa.field("blank", pa.int64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),  # of audio, as the input states
        pa.field("locator", pa.string(), nullable=False),  # JSON; the source finds the rows of the shard with it
    ]
)
"""A shard before it is loaded: one row that says which part of which input the shard is."""

AUDIO_STATS = pa.schema([pa.field(measurement.name, measurement.type) for measurement in MEASUREMENTS])
"""The columns that are measured in the audio."""

AUDIO_IDENTITY = "audio_identity"
"""Internal column: what audio the first pass decoded, so that later ones notice if it was replaced."""

INPUT_TEXT = "input_text"
"""The column of a relabelled run with the reference of the manifest; null in rows that still have it as their text."""

REVIEW = {"review": pa.string(), "reviewer": pa.string(), "reviewed_at": pa.string()}
"""What a person decided about a row (keep, drop or edit), who, and when in UTC; null in rows that no one decided."""

REVIEWED = "REVIEWED"
"""The reason of a row that a person dropped."""

PLANTED = "planted"
"""Internal column: errors planted into the reference, each of a kind of `winnow.evidence.planting`."""

PLANTED_ERRORS = pa.list_(pa.struct([("kind", pa.string()), ("text", pa.string())]))
PLANTED_SCORES = pa.list_(pa.float64())
"""A number for each error that is planted into a reference, in the order of PLANTED; null where it is unknown."""

INTERNAL = frozenset(
    {*"path found_path duration_rounding audio_channel fields same_audio audit".split(), AUDIO_IDENTITY, PLANTED}
)
"""Columns that are neither published nor named by rules, besides those of `is_internal`."""


def is_internal(column: str) -> bool:
    """Tell whether a column is neither published nor named by rules: also what models make of planted errors."""
    return column in INTERNAL or column.endswith(("_planted_doubt", "_planted_wer"))


def extend_schema(schema: pa.Schema, *fields: tuple[str, pa.DataType]) -> pa.Schema:
    """Return the schema with more columns after its own."""
    for name, kind in fields:
        schema = schema.append(pa.field(name, kind))
    return schema


WORDS = pa.list_(pa.struct([("word", pa.string()), ("start", pa.float64()), ("end", pa.float64())]))
"""Words with their start and end, in seconds from the start of the utterance."""

DOUBTFUL_WORDS = pa.list_(
    pa.struct(
        [
            ("text", pa.string()),  # the reference's words; empty where it lacks some
            ("read", pa.string()),  # the hypothesis's words; empty where the reference has more
            ("place", pa.int32()),  # of the first word in the reference, from 0
            ("start", pa.float64()),  # seconds from the start of the utterance
            ("end", pa.float64()),
            ("gap", pa.float64()),  # nats by which the hypothesis is more likely than with these words in it
        ]
    )
)
"""Stretches of words where a reference differs from a hypothesis."""

EVIDENCE = {
    "evidence": pa.float64(),  # gap, nats for each word of the reference
    "gap": pa.float64(),  # nats; how much less likely the reference is than the hypothesis
    "doubt": pa.float64(),  # the gap, relative to the model's own uncertainty
    "doubtful": pa.string(),  # the reference's words that the gap is due to most
    "doubtful_words": DOUBTFUL_WORDS,  # with engine.doubtful_words only
    "no_evidence": pa.string(),  # a key of winnow.text.evidence.NO_EVIDENCE
}
"""How well the audio speaks for the reference, by the model of a hypothesis; null without a reference."""

HYPOTHESIS = {
    "pred_text": pa.string(),
    "tokens": pa.int32(),
    "confidence": pa.float64(),  # of the utterance, 0 to 1
    "word_confidence": pa.list_(pa.float64()),
    "words": WORDS,  # with engine.timestamps only
    "spoken_language": pa.string(),  # as the model was told or heard; of models that write several
    "no_speech": pa.float64(),  # the model's probability (0 to 1) that nobody speaks
    **EVIDENCE,
    "model": pa.string(),  # the checkpoint, by its name in the run
}

SCORES = {name: {float: pa.float64(), int: pa.int32()}[metric.type] for name, metric in METRICS.items()}
"""The errors of a hypothesis, as `winnow.text.metrics` declares them."""

AGREEMENT = {"agreement": pa.float64(), "lowest_agreement": pa.float64()}
"""The share (0 to 1) of the models that have a word of a hypothesis: the mean over its words, and the lowest.

Null if only one model transcribed.
"""

DECISION = {
    "char_rate": pa.float64(),  # characters and words of the reference per second
    "word_rate": pa.float64(),
    "pred_text": pa.string(),
    "wer": pa.float64(),
    "cer": pa.float64(),
    "confidence": pa.float64(),
    "evidence": pa.float64(),
    "doubt": pa.float64(),
    **AGREEMENT,
    "model": pa.string(),  # the role of the model whose hypothesis was selected
    "proposal": pa.string(),  # what was probably said instead of the reference; null where the reference stands
    "proposal_margin": pa.float64(),  # nats by which every model prefers it, at least
    "decision": pa.string(),
    "reasons": pa.list_(pa.string()),  # all rules that a dropped row violates; `reason` is the first
}
"""The selected hypothesis, the scores that rules compare, and the decision: keep, drop or quarantine."""


HEARD = pa.schema([("identity", pa.string()), ("reason", pa.string()), ("detail", pa.string())])
"""The first columns of what a measure found: what audio it heard, or why it heard none that a pass had decoded."""

HEARD_TYPES = {
    **{"number": pa.float64(), "integer": pa.int32(), "line": pa.int32(), "boolean": pa.bool_(), "text": pa.string()},
    "vector": pa.binary(),  # half floats, in files of measures only
}


def roles_of(schema: pa.Schema) -> list[Role]:
    """Return the roles whose hypotheses a shard has, in the order of their passes."""
    return [name.removesuffix("_pred_text") for name in schema.names if name.endswith("_pred_text")]


def earlier_roles(schema: pa.Schema, role: Role) -> list[Role]:
    """Return the roles before this one in a cascade; none in an ensemble, whose models are independent."""
    return [other for other in roles_of(schema) if position_of(other) < position_of(role)]


def after_plant(schema: pa.Schema) -> pa.Schema:
    """Return the schema after errors were planted into a sample of the references."""
    return extend_schema(schema, (PLANTED, PLANTED_ERRORS))


def after_transcribe(schema: pa.Schema, role: Role) -> pa.Schema:
    """Return the schema after a pass of this role, whose columns are null in rows that it did not transcribe.

    The first pass adds the audio measurements and the identity of the audio as well; a larger model adds the nats that
    the hypothesis of each model before it lies behind its own. Where errors were planted, their doubt follows.
    """
    first = [*((field.name, field.type) for field in AUDIO_STATS), (AUDIO_IDENTITY, pa.string())]
    measured = [] if AUDIO_IDENTITY in schema.names else first
    added = HYPOTHESIS | {f"{other}_gap": pa.float64() for other in earlier_roles(schema, role)}
    if PLANTED in schema.names:
        added |= {"planted_doubt": PLANTED_SCORES}
    return extend_schema(schema, *measured, *((f"{role}_{name}", kind) for name, kind in added.items()))


def after_score(schema: pa.Schema, role: Role) -> pa.Schema:
    """Return the schema after a pass is scored; a larger model also gets its agreement with earlier hypotheses.

    Where errors were planted, their WER follows.
    """
    added = SCORES | AGREEMENT if is_larger(role) else SCORES
    if PLANTED in schema.names:
        added = added | {"planted_wer": PLANTED_SCORES}
    return extend_schema(schema, *((f"{role}_{name}", kind) for name, kind in added.items()))


def after_gate(schema: pa.Schema, role: Role) -> pa.Schema:
    """Return the schema after the gate that follows this model; the first gate also marks what is audited."""
    schema = extend_schema(schema, (band_of(role), pa.string()))
    return after_sample(schema) if role == "small" and "audit" not in schema.names else schema


def after_sample(schema: pa.Schema) -> pa.Schema:
    """Return the schema with the mark of rows that the large model transcribes for an audit or a sample only."""
    return extend_schema(schema, ("audit", pa.bool_()))


def after_combine(schema: pa.Schema) -> pa.Schema:
    """Return the schema after a vote: its hypothesis, confidence and agreement, and the role that it is from."""
    added = {"pred_text": pa.string(), "confidence": pa.float64()} | AGREEMENT
    columns = [(f"{ENSEMBLE}_{name}", kind) for name, kind in added.items()]
    return extend_schema(schema, *columns, ("model", pa.string()))


def after_listen(schema: pa.Schema, columns: Iterable[Column]) -> pa.Schema:
    """Return the schema after measures added what they heard."""
    return extend_schema(schema, *((column.name, HEARD_TYPES[column.kind]) for column in columns))


def after_relabel(schema: pa.Schema) -> pa.Schema:
    """Return the schema after dropped rows got their proposal as their text: the reference that they had before."""
    return extend_schema(schema, (INPUT_TEXT, pa.string()))


def after_review(schema: pa.Schema) -> pa.Schema:
    """Return the schema after the verdicts of reviewers."""
    return extend_schema(schema, *REVIEW.items())


def after_filter(schema: pa.Schema) -> pa.Schema:
    """Return the schema after the rules: the selected hypothesis and the decision."""
    added = DECISION.items()
    return extend_schema(schema, *((name, kind) for name, kind in added if name not in schema.names))


BEFORE_FILTER = after_score(
    after_transcribe(after_gate(after_score(after_transcribe(UTTERANCE, "small"), "small"), "small"), "large"), "large"
)
FILTERED = after_filter(BEFORE_FILTER)
"""A shard after the last stage of a cascade of one or two models."""

DUPLICATES = pa.schema([pa.field("copies", pa.int64()), pa.field("occurrence", pa.int64())])
"""How many rows of the run have the same reference, and which of them a row is, from 1; null without a reference."""


def append_columns(table: pa.Table, schema: pa.Schema, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return the table with `columns` after its own; together they are the columns of `schema`, in its order.

    Raises ValueError if a column is missing, not in the schema, or of another type.
    """
    expected = schema.names[len(table.schema) :]
    if table.schema.names + expected != schema.names or set(columns) != set(expected):
        raise ValueError(f"columns {sorted(columns)}: expected {sorted(expected)} after {table.schema.names}")
    for name, column in columns.items():
        if column.type != schema.field(name).type:
            raise ValueError(f"column {name}: expected {schema.field(name).type}, got {column.type}")
    return pa.table([*table.columns, *(columns[name] for name in expected)], names=schema.names).cast(schema)


def replace_column(table: pa.Table, name: str, values: pa.Array | list[object]) -> pa.Table:
    """Return the table with other values in one of its columns."""
    index = table.schema.get_field_index(name)
    field = table.schema.field(index)
    column = values if isinstance(values, pa.ChunkedArray | pa.Array) else pa.array(values, field.type)
    return table.set_column(index, field, column)


def select_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with the columns of the schema; null in those that it lacks."""
    columns = [
        table[field.name] if field.name in table.schema.names else pa.nulls(len(table), field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


@dataclass(frozen=True)
class ShardedManifest:
    """An input split into shards: their files, the seconds of audio that each states, and the lines in total."""

    shards: list[Path]
    seconds: list[float]
    lines: int
    blank: int


QUARANTINE_REASONS = {
    "BAD_JSON": "the line is not a JSON object",
    "NOT_UTF8": "the line is not UTF-8",
    "LONE_SURROGATE": "the line has half of a surrogate pair, which no UTF-8 file can hold",
    "LINE_TOO_LONG": "the line is longer than 1 MiB",
    "DUPLICATE_KEY": "a field occurs twice, so its value is ambiguous",
    "BAD_ROW": "the row of a table or list does not fit its header or the other lists",
    "PATH_OUTSIDE_ROOT": "the path leads outside the audio root, or to a device or pipe",
    "NO_AUDIO_PATH": "audio_filepath has no path, or one of more than 4,096 characters",
    "UNSUPPORTED_CUT": "a Lhotse cut without a recording on disk: mixed, transformed, in memory, or of features only",
    "UNSUPPORTED_SCHEME": "audio_filepath is a command, or a URL that cannot be read",
    "BAD_CHANNEL": "the channel is not a whole number from 0, or not one of the audio's channels",
    "BAD_OFFSET": "the offset is negative, not a number, or past the end of the audio",
    "BAD_DURATION": "the duration is zero, negative, or not a number",
    "BAD_TEXT": "the reference text is missing",
    "DUPLICATE_UTT": "another line has the same audio, offset, duration and channel, and the same or a better text",
    "TEXT_TOO_LONG": "a text has more than 100,000 characters, about two hours of speech, and cannot be compared",
    "EMPTY_REFERENCE": "the reference has no words once punctuation is removed",
    "AUDIO_MISSING": "there is no such audio file, or several to which the name may refer",
    "AUDIO_IO": "the audio could not be read from its disk or fetched from its server",
    "AUDIO_CHANGED": "the audio was replaced after it was listed, or after an earlier pass had decoded it",
    "AUDIO_UNREADABLE": "the audio cannot be decoded",
    "BAD_FORMAT": "the sample rate or the number of channels is out of range, or changes within the file",
    "BAD_HEADER": "the header misstates how much audio the file has",
    "DURATION_MISMATCH": "the audio is shorter or longer than stated; often the file is truncated",
    "TOO_SHORT": "the audio is shorter than 0.1 s",
    "TOO_LONG": "the audio is longer than engine.max_seconds",
    "NONFINITE_AUDIO": "samples are infinite, undefined, or far too large",
    "NONFINITE_SCORE": "the model's scores are not finite",
    "MODEL_MISALIGNED": "the model returned no hypothesis, or more than one",
    "OOM_SINGLE": "the utterance does not fit into device memory, even alone",
    "MODEL_ERROR": "the model failed on this utterance",
    "WORKER_KILLED": "every process that transcribed the utterance was killed",
    "TRANSCRIPT_MISSING": "the file of transcripts has no entry for this utterance",
}
"""Why an utterance cannot be judged, in words."""

MENDINGS = {
    "NAN_AS_NULL": "NaN or Infinity, which Python writes but JSON does not have, is read as null",
    "NUMBER_AS_TEXT": 'an offset or duration that is written as a text, such as "3.2", is read as this number',
    "EMPTY_NUMBER": "an offset or duration that is an empty text is read as null",
    "TEXT_AS_NUMBER": "a text that is a whole number, such as 911, is read as its digits",
    "LIST_OF_ONE": "a list of one value is read as this value",
    "FILE_URL": "a file: URL is read as its path",
    "FILE_NAME": "the file is found under another spelling: Unicode form, %20, white space around it, backslashes",
    "CHANNELS_CANCEL": "channels that cancel each other are not mixed: the loudest is transcribed",
    "CHANNEL_AS_TEXT": "a channel that is written as a digit, A or B, left or right, is read as its number from 0",
}
"""How rows are read whose values are badly written, but say without loss what is meant."""

REMEDIES = {
    "BAD_TEXT": "for speech without references, give --references optional",
    "EMPTY_REFERENCE": "for speech without references, give --references optional",
    "PATH_OUTSIDE_ROOT": "give an --audio-root that contains all audio",
    "TOO_LONG": "for longer audio, give a higher --engine.max-seconds",
}
"""What to do, in a new output, if many utterances are quarantined for a reason that an option causes."""


RETRIABLE = frozenset(
    {"AUDIO_MISSING", "AUDIO_IO", "AUDIO_CHANGED", "AUDIO_UNREADABLE", "BAD_FORMAT", "BAD_HEADER", "DURATION_MISMATCH"}
    | {"TOO_SHORT", "NONFINITE_AUDIO", "OOM_SINGLE", "MODEL_ERROR", "WORKER_KILLED"}
)
"""The reasons of QUARANTINE_REASONS that a pass gives, and that may be gone when the audio was repaired."""


def remedy_for(reason: str, referenced: bool) -> str | None:
    """Return the remedy, if there is one; for texts only if every utterance must have a reference (`referenced`)."""
    return REMEDIES.get(reason) if referenced or "--references" not in REMEDIES.get(reason, "") else None
