"""The plan of an export: which utterance of the run goes into which part and shard, and which is left out and why.

It is made in one pass over the run's manifest, and holds a few numbers for each utterance.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from winnow.errors import OptionError
from winnow.export.form import ExportShard
from winnow.export.leakage import EvaluationSets, hash_text
from winnow.export.registry import FORMS
from winnow.export.rows import SPEAKER_FIELDS, KeptRow, kept_rows
from winnow.export.splits import UNKNOWN, Codes, SplitCost, split
from winnow.parameters.export import Export, parse_split
from winnow.text.languages import language_tag
from winnow.text.normalize import Normalizer

SHARD_HOURS = 1.0
MOST_SHARDS = 99_999

PLANNED = pa.schema(
    [
        pa.field("start", pa.int64(), nullable=False),  # byte of the line in the run's manifest
        pa.field("size", pa.int64(), nullable=False),  # bytes of the line
    ]
)
"""A planned shard. The schema's metadata says which one it is."""

LEFT_OUT = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("audio_filepath", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
    ]
)
"""Utterances of the run that are not in the export."""


@dataclass(frozen=True)
class Plan:
    """All shards, each a table PLANNED, the rows that are left out, and what a split cost."""

    shards: list[pa.Table]
    left_out: pa.Table
    cost: SplitCost | None
    rows: int


@dataclass
class Facts:
    """What is known of every row that may be exported, in order."""

    start: "array[int]"
    size: "array[int]"
    seconds: "array[float]"
    labels: dict[str, "array[int]"]
    left_out: list[dict[str, Any]]
    rows: int = 0


def make_plan(
    run: Path, settings: Export, normalizer: Normalizer, sets: EvaluationSets | None, same_samples: frozenset[int]
) -> Plan:
    """Plan the export of a run; `same_samples` are the ids of utterances whose samples an evaluation set has.

    Raises OptionError for leaks that are not to be dropped, for fields to keep apart that no row has, and for a split
    that leaves a part empty.
    """
    shares = parse_split(settings.split)
    apart = [name.strip() for name in settings.apart.split(",") if name.strip()] if shares else []
    facts = read_facts(run, apart, normalizer, sets, same_samples)
    if facts.left_out and not settings.drop_leaks:
        first = facts.left_out[0]
        raise OptionError(
            f"{len(facts.left_out):,} of {facts.rows:,} utterances are in an evaluation set, such as "
            f"{first['audio_filepath']} ({first['reason']}): leave them out with --drop-leaks"
        )
    if not facts.seconds:
        raise OptionError(f"{run}: nothing is left to export of {facts.rows:,} utterances")
    seconds = np.array(facts.seconds)
    parts, cost = np.zeros(len(seconds), np.int8), None
    if shares:
        check_apart(facts, apart)
        labels = [np.array(codes, np.int64) for codes in facts.labels.values()]
        parts, cost = split(seconds, labels, shares, settings.seed)
    order = np.arange(len(seconds))
    if settings.shuffle:
        order = np.random.default_rng(settings.seed).permutation(len(seconds))
    tables = [
        shard_table(facts, rows, shard)
        for number, name in enumerate(shares or [FORMS[settings.form].default_part])
        for shard, rows in divide(name, order[parts[order] == number], seconds, settings)
    ]
    if len(tables) > MOST_SHARDS:
        raise OptionError(f"--shard-hours: this makes {len(tables):,} shards, more than {MOST_SHARDS:,}")
    return Plan(tables, pa.Table.from_pylist(facts.left_out, LEFT_OUT), cost, facts.rows)


def read_facts(
    run: Path, apart: list[str], normalizer: Normalizer, sets: EvaluationSets | None, same_samples: frozenset[int]
) -> Facts:
    """Read the run's manifest once."""
    facts = Facts(array("q"), array("q"), array("d"), {name: array("q") for name in apart}, [])
    for row in kept_rows(run):
        facts.rows += 1
        text = hash_text(row.text, normalizer, language_tag(row.language)) if sets or "text" in apart else None
        if sets and (reason := sets.leak(row, text, row.id in same_samples)):
            place = row.fields["audio_filepath"]
            facts.left_out.append({"id": row.id, "audio_filepath": place, "reason": reason, "detail": None})
            continue
        facts.start.append(row.start)
        facts.size.append(row.size)
        facts.seconds.append(row.seconds)
        for name, labels in facts.labels.items():
            label = text if name == "text" else hash_value(value_of(row, name))
            labels.append(UNKNOWN if label is None else label)
    return facts


def value_of(row: KeptRow, name: str) -> str | None:
    """Return the value of a field as a text; that of the speaker whatever it is called."""
    value = row.fields.get(name)
    if value is None and name == "speaker":
        return row.speaker
    return None if value is None or value == "" else str(value)


def hash_value(value: str | None) -> int | None:
    """Return 63 bits for a value, which are enough to tell billions apart."""
    return None if value is None else xxhash.xxh3_64_intdigest(value.encode()) >> 1


def check_apart(facts: Facts, apart: list[str]) -> None:
    """Raise OptionError for a field that no row has."""
    for name in apart:
        if facts.seconds and all(label == UNKNOWN for label in facts.labels[name]):
            known = f" (nor {', '.join(SPEAKER_FIELDS[1:])})" if name == "speaker" else ""
            raise OptionError(
                f"--apart: no utterance has a field {name}{known}: name the fields to keep apart, or none"
            )


def divide(
    part: str, rows: NDArray[np.int64], seconds: NDArray[np.float64], settings: Export
) -> Iterator[tuple[ExportShard, NDArray[np.int64]]]:
    """Yield the shards of a part with their rows: first by duration into buckets, then into shards, of equal hours."""
    buckets = [rows]
    if settings.buckets > 1:
        shortest_first = rows[np.argsort(seconds[rows], kind="stable")]
        ranks = cut_evenly(seconds[shortest_first], settings.buckets)
        bucket = np.empty(len(seconds), np.int64)
        bucket[shortest_first] = ranks
        buckets = [rows[bucket[rows] == number] for number in range(settings.buckets)]
    for number, members in enumerate(buckets, 1):
        hours = float(seconds[members].sum()) / 3600
        wanted = settings.shards or ceil(hours / (settings.shard_hours or SHARD_HOURS) - 1e-9)
        count = max(1, min(wanted, len(members)))
        places = cut_evenly(seconds[members], count)
        for place in range(count):
            shard = ExportShard(part, number if settings.buckets > 1 else 0, place, count)
            yield shard, members[places == place]


def cut_evenly(seconds: NDArray[np.float64], count: int) -> Codes:
    """Return for each row, in this order, in which of `count` stretches of equal length its middle lies.

    No stretch is empty if there are as many rows: a row goes on where one would be.
    """
    ends = np.cumsum(seconds)
    total = float(ends[-1]) if len(ends) else 0.0
    middles = (ends - seconds / 2) / (total or 1.0)
    places = np.minimum((middles * count).astype(np.int64), count - 1)
    numbers = np.arange(len(places))
    places = np.minimum.accumulate(np.minimum(places - numbers, 0)) + numbers  # from 0 on, without a gap
    return np.maximum(places, numbers - (len(places) - count))  # and with a row for each of the last


def shard_table(facts: Facts, rows: NDArray[np.int64], shard: ExportShard) -> pa.Table:
    """Return the table of a shard, whose metadata says which one it is."""
    metadata = {"part": shard.part, "bucket": str(shard.bucket), "number": str(shard.number), "count": str(shard.count)}
    columns = [[values[row] for row in rows.tolist()] for values in (facts.start, facts.size)]
    return pa.table(columns, schema=PLANNED.with_metadata(metadata))


def shard_of(schema: pa.Schema) -> ExportShard:
    """Return which shard a planned table is."""
    facts = {name.decode(): value.decode() for name, value in schema.metadata.items()}
    return ExportShard(facts["part"], int(facts["bucket"]), int(facts["number"]), int(facts["count"]))
