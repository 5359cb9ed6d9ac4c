"""What measures find in the audio of a shard: a file for each measure, beside the shards of the stages.

The first pass measures the audio that it decodes. What it did not measure, because it was done before a measure was
asked for, is measured later from the same audio. Both commit the same files under the same keys of the ledger.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.measurements import BadAudio
from winnow.engines.engine import Request
from winnow.engines.inference import UNAVAILABLE, Result, decode_request, decode_threads
from winnow.engines.scored_texts import ScoredTexts
from winnow.engines.shard_columns import requests_for
from winnow.errors import OutputError
from winnow.imports import installed_version
from winnow.listening.registry import of_audio
from winnow.models.measuring import Measuring
from winnow.runs import ledger
from winnow.runs.shard_files import read_table, store_table
from winnow.schema import HEARD, after_listen
from winnow.text.comparison import BASIC

SAME_ROWS = ["id", "path", "offset", "audio_channel"]
"""What of a row says which audio it is, and is the same before and after a pass."""


def audio_versions() -> dict[str, str]:
    """Return the versions of what decodes audio."""
    return {name: installed_version(name) for name in ("av", "soundfile", "soxr")}


def stage_of(measure: str) -> str:
    """Return the name under which the ledger has what a measure found."""
    return f"listen-{measure}"


@dataclass(frozen=True)
class Listening:
    """What is measured in the audio of a shard: the key of each measure in the ledger of the run."""

    run: Path
    shard: str
    rows: int
    keys: dict[str, str]

    @classmethod
    def of(cls, shard: Path, rows: pa.Table, measuring: Measuring) -> "Listening":
        """Describe what is measured in the rows of a shard."""
        longest = float(measuring.options.max_seconds)  # a default may be an integer, which another key has
        audio = ledger.key_of(rows.select(SAME_ROWS).to_pydict(), measuring.root, longest)
        keys = {
            name: ledger.key_of(stage_of(name), measure.versions(), audio, audio_versions())
            for name, measure in of_audio(measuring.measures).items()
        }
        return cls(ledger.run_of(shard), ledger.name_of(shard), len(rows), keys)

    @property
    def missing(self) -> tuple[str, ...]:
        """The measures that the ledger does not have."""
        return tuple(name for name, key in self.keys.items() if ledger.find_record(self.run, key) is None)

    def commit(self, measures: tuple[str, ...], results: list[Result | None]) -> None:
        """Commit what measures found, given the result of each row; None for a row without audio."""
        for name in measures:
            table = heard_table(name, results)
            file = store_table(self.run / ledger.STAGES / stage_of(name), self.shard, table)
            ledger.commit(self.run, self.keys[name], [file], stage=stage_of(name), shard=self.shard, rows=self.rows)

    def of_rows(self, rows: list[int]) -> "Listening":
        """Describe the same measures of some rows alone."""
        return replace(self, keys={name: ledger.key_of(key, rows) for name, key in self.keys.items()})

    def files(self) -> dict[str, Path]:
        """Return the file of each measure; all of them must be committed."""
        records = {name: ledger.find_record(self.run, key) for name, key in self.keys.items()}
        return {name: self.run / next(iter(record["files"])) for name, record in records.items() if record}


def heard_table(measure: str, results: list[Result | None]) -> pa.Table:
    """Return what a measure found, as a table of the columns HEARD and its own."""
    schema = after_listen(HEARD, of_audio([measure])[measure].stored)
    rows = [
        {"identity": result.identity, "reason": result.reason, "detail": result.detail, **result.heard}
        if result
        else {}
        for result in results
    ]
    return pa.table([pa.array([row.get(field.name) for row in rows], field.type) for field in schema], schema=schema)


def measure_shard(shard: Path, rows: pa.Table, measuring: Measuring) -> dict[str, list[Path]]:
    """Return the files of each measure, from the ledger or, where it has none, from the audio of the rows.

    A second file has rows that had no audio when the first was made, and that a retry of the pass could transcribe.
    Raises OutputError if most of the audio that the pass decoded is not there any more.
    """
    AUDIO_CACHE.limit = measuring.audio.cache_bytes
    usable = pc.indices_nonzero(pc.is_null(rows["reason"])).to_pylist()
    first = Listening.of(shard, rows, measuring)
    files = complete(first, rows, usable, measuring)
    heard = [heard_rows(file) for file in files.values()]
    if unheard := [at for at in usable if not all(is_heard[at] for is_heard in heard)]:
        second = complete(first.of_rows(unheard), rows, unheard, measuring)
        return {name: [file, second[name]] for name, file in files.items()}
    return {name: [file] for name, file in files.items()}


def complete(listening: Listening, rows: pa.Table, wanted: list[int], measuring: Measuring) -> dict[str, Path]:
    """Measure what the ledger does not have in the wanted rows; return the file of each measure."""
    if missing := listening.missing:
        languages: list[str | None] = [None] * len(rows)
        texts = ScoredTexts({}, languages, BASIC)
        requests = requests_for(rows, wanted, languages, measuring.root, texts, missing)
        results: list[Result | None] = [None] * len(rows)
        for at, result in zip(wanted, measure_requests(requests, measuring), strict=True):
            results[at] = result
        listening.commit(missing, results)
    return listening.files()


def heard_rows(file: Path) -> list[bool]:
    """Return which rows a measure heard, or could not hear for a reason of its own."""
    table = read_table(file, columns=["identity", "reason"])
    heard: list[bool] = pc.or_(pc.is_valid(table["identity"]), pc.is_valid(table["reason"])).to_pylist()
    return heard


def read_heard(files: list[Path]) -> pa.Table:
    """Read the files of a measure as one table: each row from the first that has it."""
    first, *others = map(read_table, files)
    for other in others:
        columns = [pc.coalesce(first[name], other[name]) for name in first.schema.names]
        first = pa.table(columns, schema=first.schema)
    return first


def measure_requests(requests: list[Request], measuring: Measuring) -> list[Result]:
    """Decode audio for measures alone."""
    with ThreadPoolExecutor(decode_threads(requests), thread_name_prefix="listen") as threads:
        results = list(threads.map(partial(measure_request, measuring), requests))
    gone = [at for at, result in enumerate(results) if result.reason in UNAVAILABLE]
    if 2 * len(gone) > len(results):
        path, result = requests[gone[0]].path, results[gone[0]]
        raise OutputError(
            f"{path}: {result.reason}: {result.detail}, like {len(gone):,} of {len(results):,} utterances of a shard, "
            f"whose audio is needed to measure {', '.join(measuring.measures)}: mount or restore it"
        )
    return results


def measure_request(measuring: Measuring, request: Request) -> Result:
    """Return what is heard in the audio of a request, or why nothing is."""
    clip = decode_request(request, None, measuring.options)
    if isinstance(clip, BadAudio):
        return Result(reason=clip.reason, detail=clip.detail)
    return Result(identity=clip.identity, heard=clip.heard)
