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


Row = dict[str, Any]


class BadManifest(Exception):
    """The manifest as a whole cannot be worked on."""

    exit_code = 2


class BadLine(Exception):
    """A line that is no utterance; the argument is the reason."""


def read(lines: Iterable[bytes], folder: Path) -> Iterator[Row | None]:
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


def utterance(line: bytes, folder: Path) -> Row:
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
    row: Row = {"reason": None}
    given = {name: fields.pop(name, None) for name in ("audio_filepath", "offset", "duration", "text")}
    problems = []
    for name, reason in (("offset", "BAD_OFFSET"), ("duration", "BAD_DURATION")):
        row[name] = seconds(given[name])
        if row[name] is None and given[name] is not None:
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
    """A length of time, if that is what it is."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    return None


class Census:
    """What a manifest holds, counted while its rows go by."""

    def __init__(self, manifest: Path) -> None:
        self.manifest = manifest
        self.lines = self.blank = self.looked = self.missing = 0
        self.types: dict[str, str | None] = {}

    def of(self, rows: Iterable[Row | None]) -> Iterator[Row]:
        """The rows that are not blank; raises when it turns out that most of the audio is not there."""
        for row in rows:
            self.lines += 1
            if row is None:
                self.blank += 1
                continue
            for name, value in msgspec.json.decode(row["fields"] or "{}").items():
                self.types[name] = widest(self.types.get(name), kind(value))
            if row["path"] and self.looked < MOUNT_CHECK:
                self.looked += 1
                self.missing += not Path(row["path"]).exists()
                if self.looked == MOUNT_CHECK:
                    self.check_mount()
            yield row
        self.check_mount()

    def check_mount(self) -> None:
        if self.missing * 2 > self.looked:
            raise BadManifest(
                f"{self.manifest}: {self.missing} of the first {self.looked} audio files are missing: is the audio "
                "mounted, and are relative paths relative to the manifest's folder?"
            )

    def fields(self) -> dict[str, str]:
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


def filled(rows: Iterable[Row], hours: float) -> Iterator[list[Row]]:
    """The rows in order, about so many hours of audio at a time."""
    shard: list[Row] = []
    seconds = 0.0
    for row in rows:
        shard.append(row)
        seconds += UNKNOWN_SECONDS if row["duration"] is None else row["duration"]
        if seconds >= hours * 3600:
            yield shard
            shard, seconds = [], 0.0
    if shard:
        yield shard


def split(manifest: Path, run: Path, shard_hours: float) -> Manifest:
    """Write the manifest's utterances into shards of about `shard_hours` of audio, in order; once."""
    if not manifest.is_file():
        raise BadManifest(f"{manifest}: no such manifest")
    folder = manifest.absolute().parent
    key = ledger.key_of("shards", digest(manifest), str(folder), shard_hours)
    if (done := ledger.recorded(run, key)) is None:
        census = Census(manifest)
        with manifest.open("rb") as lines:
            files = [
                ledger.store(run / "shards", f"{index:05}", pa.Table.from_pylist(rows, UTTERANCE))
                for index, rows in enumerate(filled(census.of(read(lines, folder)), shard_hours))
            ]
        if not files:
            raise BadManifest(f"{manifest}: no utterance in {census.lines} lines")
        done = ledger.record(
            run, key, files, stage="shards", lines=census.lines, blank=census.blank, fields=census.fields()
        )
    shards = [run / name for name in done["files"]]
    return Manifest(shards=shards, lines=done["lines"], blank=done["blank"], fields=done["fields"])


def digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@task(task_run_name="shard {manifest.name}", cache_policy=NO_CACHE)
def split_manifest(manifest: Path, run: Path, shard_hours: float) -> Manifest:
    return split(manifest, run, shard_hours)
