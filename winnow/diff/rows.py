"""The rows of a run as arrays, for a comparison with those of another run."""

from collections.abc import Iterator
from dataclasses import dataclass
from os.path import normpath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.api.run import Run
from winnow.audio.remote.urls import is_url
from winnow.corpora.registry import folder_of
from winnow.corpora.remote_copy import folder_of_url
from winnow.corpora.utterance import resolve_path
from winnow.reports.slice_fields import (
    MEASURED,
    MOST_VALUES,
    NOT_STATED,
    SHOWN_OTHERWISE,
    duration_classes,
    names_in_column,
)
from winnow.runs import ledger
from winnow.runs.shard_files import read_schema, read_table
from winnow.text.languages import language_tag

KEEP, DROP, QUARANTINE = DECISIONS = ("keep", "drop", "quarantine")

COUNTS = ("hits", "substitutions", "deletions")
"""What adds up to the words of a reference."""

MAX_DOUBT = 20.0
"""Doubts are capped at this before they are averaged: a reference beyond it is no more wrong than one at it."""

Numbers = NDArray[np.float64]
Indexes = NDArray[np.int64]


@dataclass(frozen=True)
class RunRows:
    """All rows of a run, in the order of the manifest; every array has an entry for each row.

    `places` is where the audio lies: path, offset and channel. `decisions` are indexes of DECISIONS. `seconds` is 0
    where it is unknown. `errors` and `words` count wrong words and words of the reference, and `doubts` are at most
    MAX_DOUBT; they are nan where there is no score. `slices` are columns of few values.
    """

    ids: Indexes
    places: pa.Array
    decisions: Indexes
    reasons: pa.Array
    seconds: Numbers
    errors: Numbers
    words: Numbers
    doubts: Numbers
    slices: dict[str, pa.Array]

    def __len__(self) -> int:
        return len(self.ids)


def read_rows(run: Run, absolute: bool = True) -> RunRows:
    """Read the rows of a run; `absolute` makes places of audio independent of where its manifest lies."""
    own = set(read_schema(ledger.files_by_stage(run.path)["filter"][0]).names)
    rows = read_columns(run, slice_names(run, own))
    words = words_of(rows, run.roles)
    return RunRows(
        ids=np.asarray(rows["id"]),
        places=places_of(rows, audio_folder(run) if absolute else ""),
        decisions=np.asarray(pc.index_in(rows["decision"], pa.array(DECISIONS)), np.int64),
        reasons=flat(pc.fill_null(rows["reason"], "")),
        seconds=numbers(rows["duration"], 0.0),
        errors=np.round(numbers(rows["wer"]) * words),
        words=words,
        doubts=np.minimum(numbers(rows["doubt"]), MAX_DOUBT),
        slices=dict(slices_of(rows, own)),
    )


def slice_names(run: Run, own: set[str]) -> list[str]:
    """Return the columns that may be slices: fields of the manifest with texts, whole numbers or flags."""
    schema = read_schema(run.files("data")[0])
    simple = (pa.types.is_string, pa.types.is_boolean, pa.types.is_integer)
    return [
        field.name
        for field in schema
        if (field.name not in own or field.name in MEASURED) and any(test(field.type) for test in simple)
    ]


def read_columns(run: Run, slices: list[str]) -> pa.Table:
    """Read the columns that are compared, in the order of the manifest; null where the run lacks one."""
    counts = [f"{role}_{name}" for role in run.roles for name in COUNTS]
    needed = ["id", "audio_filepath", "offset", "channel", "duration", "decision", "reason", "wer", "doubt", *counts]
    files = [*run.files("data"), *run.files("rejects")]
    there = set(read_schema(files[0]).names)
    names = [name for name in dict.fromkeys([*needed, *slices]) if name in there]
    rows = pa.concat_tables([read_table(file, columns=names) for file in files]).sort_by("id").combine_chunks()
    for name in needed:
        if name not in there:
            rows = rows.append_column(name, pa.nulls(len(rows), pa.float64()))
    return rows


def audio_folder(run: Run) -> str:
    """Return the path or URL of the folder where relative audio paths of a run start."""
    manifest = str(run.settings.manifest)
    return str(run.settings.audio_folder or (folder_of_url if is_url(manifest) else folder_of)(manifest))


def places_of(rows: pa.Table, folder: str) -> pa.Array:
    """Return where the audio of each row lies, as one text of its path, offset and channel.

    Relative paths start at the folder, a path or URL; without one, they stay as they are. Without an offset, audio
    begins at 0 s.
    """
    paths = flat(pc.fill_null(rows["audio_filepath"], ""))
    if folder:
        names = paths.dictionary_encode()
        whole = [resolve_path(folder, name) for name in names.dictionary.to_pylist()]
        whole = [path if "://" in path else normpath(path) for path in whole]
        paths = pa.array(whole, pa.string()).take(names.indices)
    offsets = pc.cast(pc.round(pc.fill_null(pc.cast(flat(rows["offset"]), pa.float64()), 0.0), 3), pa.string())
    channels = pc.fill_null(pc.cast(flat(rows["channel"]), pa.string()), "")
    return pc.binary_join_element_wise(paths, offsets, channels, "\n")


def words_of(rows: pa.Table, roles: list[str]) -> Numbers:
    """Return the words of each reference, by any model that was compared with it; nan if none was."""
    words = np.full(len(rows), np.nan)
    for role in roles:
        counted = sum(numbers(rows[f"{role}_{name}"]) for name in COUNTS)
        words = np.where(np.isnan(words), counted, words)
    return words


def slices_of(rows: pa.Table, own: set[str]) -> Iterator[tuple[str, pa.Array]]:
    """Yield the classes of duration, the languages, and every field of few values, as reports have them."""
    yield "duration", duration_classes(numbers(rows["duration"], 0.0))
    if "lang" in rows.schema.names and pa.types.is_string(rows["lang"].type):
        spoken = flat(rows["lang"]).dictionary_encode()
        tags = pa.array(list(map(language_tag, spoken.dictionary.to_pylist())), pa.string())
        yield "language", pc.fill_null(tags.take(spoken.indices), NOT_STATED)
    for name in rows.schema.names:
        if (name in MEASURED or name not in own | {"channel"}) and name not in SHOWN_OTHERWISE:
            values = names_in_column(flat(rows[name]))
            if values is not None and 1 < pc.count_distinct(values, mode="all").as_py() <= MOST_VALUES:
                yield name, pc.fill_null(values, NOT_STATED)


def numbers(column: pa.ChunkedArray | pa.Array, unknown: float = float("nan")) -> Numbers:
    return np.asarray(pc.fill_null(pc.cast(flat(column), pa.float64()), unknown), np.float64)


def flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def texts_of(run: Run, ids: set[int]) -> dict[int, tuple[str, str]]:
    """Return the reference and the selected hypothesis of some rows, by their ids."""
    wanted = pa.array(sorted(ids), pa.int64())
    found: dict[int, tuple[str, str]] = {}
    for file in (*run.files("data"), *run.files("rejects")):
        table = read_table(file, columns=["id", "text", "pred_text"])
        for row in table.filter(pc.is_in(table["id"], wanted)).to_pylist():
            found[row["id"]] = row["text"] or "", row["pred_text"] or ""
    return found
