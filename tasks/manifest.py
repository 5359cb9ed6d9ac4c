"""A NeMo manifest into shards of like length, every line accounted for."""

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import ledger
from tasks.schema import UTTERANCE, Manifest

MAX_LINE = 1 << 20  # bytes
UNKNOWN_SECONDS = 10.0  # what an utterance without a duration counts for when shards are filled
MOUNT_CHECK = 200  # so many first rows say whether the audio is there at all


class BadManifest(Exception):
    """The manifest as a whole cannot be worked on."""

    exit_code = 2


class BadLine(Exception):
    """A line that is no utterance; the argument is the reason."""


def read(lines: Iterable[bytes], folder: Path) -> Iterator[dict[str, Any] | None]:
    """A row for each line, or nothing where the line is blank."""
    seen: set[bytes] = set()
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            yield None
            continue
        row = dict.fromkeys(UTTERANCE.names) | {"id": number}
        try:
            row |= utterance(line, folder)
        except BadLine as problem:
            row["reason"] = str(problem)
        if row["reason"] is None:
            twin = hashlib.blake2b(
                repr((row["path"], row["offset"], row["duration"])).encode(), digest_size=12
            ).digest()
            row["reason"] = "DUPLICATE_UTT" if twin in seen else None
            seen.add(twin)
        yield row


def utterance(line: bytes, folder: Path) -> dict[str, Any]:
    """The columns of one line; a line that is JSON keeps its fields even when it is no good utterance."""
    if len(line) > MAX_LINE:
        raise BadLine("LINE_TOO_LONG")
    try:
        fields = msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        raise BadLine("NOT_UTF8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine("NOT_UTF8" if "utf-8" in str(error).lower() else "BAD_JSON") from error
    if not isinstance(fields, dict):
        raise BadLine("BAD_JSON")
    row: dict[str, Any] = {"reason": None}
    given = {name: fields.pop(name, None) for name in ("audio_filepath", "offset", "duration", "text")}
    problems = []
    for name, value, reason in (
        ("offset", seconds(given["offset"]), "BAD_OFFSET"),
        ("duration", seconds(given["duration"]), "BAD_DURATION"),
    ):
        row[name] = value
        if (value is None and given[name] is not None) or (value is not None and value < 0):
            problems.append(reason)
    if isinstance(given["text"], str):
        row["text"] = given["text"]
    else:
        problems.append("BAD_TEXT")
    audio = given["audio_filepath"]
    if not isinstance(audio, str) or not audio.strip() or "\0" in audio:
        problems.insert(0, "NO_AUDIO_PATH")
    elif "://" in audio or audio.rstrip().endswith("|"):
        row["audio_filepath"] = audio
        problems.insert(0, "UNSUPPORTED_SCHEME")
    else:
        row["audio_filepath"] = audio
        row["path"] = str(folder / audio)
    fields |= {name: value for name, value in given.items() if row.get(name) is None and value is not None}
    row["fields"] = msgspec.json.encode(fields).decode()
    row["reason"] = problems[0] if problems else None
    return row


def seconds(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class FieldTypes:
    """The simplest type that holds every value of each unknown field seen so far."""

    def __init__(self) -> None:
        self.types: dict[str, str | None] = {}

    def add(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            self.types[name] = widest(self.types.get(name), kind(value))

    def known(self) -> dict[str, str]:
        return {name: found or "string" for name, found in self.types.items()}


def kind(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer" if -(2**63) <= value < 2**63 else "json"
        case float():
            return "number"
        case str():
            return "string"
        case _:
            return "json"


def widest(one: str | None, other: str | None) -> str | None:
    if one is None or one == other:
        return other
    if other is None:
        return one
    return "number" if {one, other} == {"integer", "number"} else "json"


def split(manifest: Path, run: Path, shard_hours: float) -> Manifest:
    """Write the manifest's utterances into shards of about `shard_hours` of audio, in order; once."""
    if not manifest.is_file():
        raise BadManifest(f"{manifest}: no such manifest")
    key = ledger.key_of("shards", digest(manifest), str(manifest.absolute().parent), shard_hours)
    done = ledger.recorded(run, key)
    if done is None:
        shards, rows = list[Path](), list[dict[str, Any]]()
        filled, lines, blank = 0.0, 0, 0
        types, missing, looked = FieldTypes(), 0, 0
        with manifest.open("rb") as file:
            for row in read(file, manifest.absolute().parent):
                lines += 1
                if row is None:
                    blank += 1
                    continue
                if looked < MOUNT_CHECK and row["path"]:
                    looked, missing = looked + 1, missing + (not Path(row["path"]).exists())
                if row["fields"]:
                    types.add(msgspec.json.decode(row["fields"]))
                rows.append(row)
                filled += UNKNOWN_SECONDS if row["duration"] is None else max(row["duration"], 0.0)
                if filled >= shard_hours * 3600:
                    shards.append(store(rows, run, len(shards)))
                    rows, filled = [], 0.0
        if rows:
            shards.append(store(rows, run, len(shards)))
        if not shards:
            raise BadManifest(f"{manifest}: no utterance in {lines} lines")
        if missing * 2 > looked:
            raise BadManifest(
                f"{manifest}: {missing} of the first {looked} audio files are missing: is the audio mounted, and are "
                f"relative paths relative to the manifest's folder?"
            )
        done = ledger.record(run, key, shards, stage="shards", lines=lines, blank=blank, fields=types.known())
    return Manifest(
        shards=[run / name for name in done["files"]], lines=done["lines"], blank=done["blank"], fields=done["fields"]
    )


def store(rows: list[dict[str, Any]], run: Path, index: int) -> Path:
    return ledger.store(run / "shards", f"{index:05}", pa.Table.from_pylist(rows, UTTERANCE))


def digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@task(task_run_name="shard {manifest.name}", cache_policy=NO_CACHE)
def split_manifest(manifest: Path, run: Path, shard_hours: float) -> Manifest:
    return split(manifest, run, shard_hours)
