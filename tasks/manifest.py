"""A NeMo manifest into shards of like length, every line accounted for."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import ledger
from tasks.lines import Row, read
from tasks.retry import RETRY
from tasks.schema import REASONS, UTTERANCE, Manifest

UNKNOWN_SECONDS = 10.0  # what an utterance without a duration counts for when shards are filled
MOUNT_CHECK = 200  # so many first rows say whether the audio is there at all
EXACT = 2**53  # integers up to here are floats as well


class BadManifest(Exception):
    """The manifest as a whole cannot be worked on."""

    exit_code = 2


class Census:
    """What a manifest holds, counted while its rows go by."""

    def __init__(self, manifest: Path, folder: Path) -> None:
        self.manifest, self.folder = manifest, folder
        self.lines = self.blank = self.good = self.looked = 0
        self.missing: list[str] = []
        self.reason: str | None = None  # of the first row that is no utterance
        self.kinds: dict[str, str | None] = {}

    def of(self, rows: Iterable[Row | None]) -> Iterator[Row]:
        """The rows that are not blank; raises when it turns out that hardly any of the audio is there."""
        for row in rows:
            self.lines += 1
            if row is None:
                self.blank += 1
                continue
            for name, value in msgspec.json.decode(row["fields"] or "{}").items():
                self.kinds[name] = widest(self.kinds.get(name), kind(value))
            self.good += row["reason"] is None
            self.reason = self.reason or row["reason"]
            self.look(row["path"])
            yield row
        self.check()

    def look(self, path: str | None) -> None:
        if path and self.looked < MOUNT_CHECK:
            self.looked += 1
            if not os.path.exists(path):  # noqa: PTH110 (unlike Path's, this one never raises)
                self.missing.append(path)
            if self.looked == MOUNT_CHECK:
                self.check()

    def check(self) -> None:
        if not self.good:
            why = f"; the first is {self.reason}: {REASONS[self.reason]}" if self.reason else ""
            raise BadManifest(f"{self.manifest}: no utterance in {self.lines} lines{why}")
        if len(self.missing) * 2 > self.looked:
            raise BadManifest(
                f"{self.manifest}: {len(self.missing)} of the first {self.looked} audio files are missing, "
                f"{self.missing[0]} to begin with: is the audio mounted? Relative paths start at {self.folder}."
            )

    def fields(self) -> dict[str, str]:
        return {name: found or "string" for name, found in self.kinds.items()}


def kind(value: object) -> str | None:
    """The kind of a field's value (see FIELD_TYPES); null is of any kind."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer" if abs(value) <= EXACT else "long" if -(2**63) <= value < 2**63 else "json"
        case float():
            return "number"
        case str():
            return "string"
        case _:
            return "json"


def widest(one: str | None, other: str | None) -> str | None:
    """The simplest kind that holds values of both."""
    match {one, other} - {None}:
        case kinds if len(kinds) < 2:
            return one or other
        case kinds if kinds == {"integer", "number"}:
            return "number"
        case kinds if kinds == {"integer", "long"}:
            return "long"
    return "json"


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


def split(manifest: Path, run: Path, shard_hours: float, root: Path | None = None) -> Manifest:
    """Write the manifest's utterances into shards of about `shard_hours` of audio, in order; once.

    Relative paths start at the root, or at the manifest's folder where there is none.
    """
    folder = (root or manifest.parent).absolute()
    key = ledger.key_of("shards", digest(manifest), str(folder), shard_hours)
    if (done := ledger.recorded(run, key)) is None:
        census = Census(manifest, folder)
        with manifest.open("rb") as lines:
            files = [
                ledger.store(run / ledger.STAGES / "shards", f"{index:05}", pa.Table.from_pylist(rows, UTTERANCE))
                for index, rows in enumerate(filled(census.of(read(lines, folder)), shard_hours))
            ]
        done = ledger.record(
            run, key, files, stage="shards", lines=census.lines, blank=census.blank, fields=census.fields()
        )
    shards = [run / name for name in done["files"]]
    return Manifest(shards=shards, lines=done["lines"], blank=done["blank"], fields=done["fields"])


def digest(manifest: Path) -> str:
    """The sha256 of the manifest."""
    try:
        with manifest.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise BadManifest(f"{manifest}: no manifest that can be read ({error.strerror})") from error


@task(task_run_name="shard {manifest.name}", cache_policy=NO_CACHE, **RETRY)
def split_manifest(manifest: Path, run: Path, shard_hours: float, root: Path | None = None) -> Manifest:
    return split(manifest, run, shard_hours, root)
