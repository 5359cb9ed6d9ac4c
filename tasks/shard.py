"""A NeMo manifest into shards of like length: where each of them is, and which of its utterances are there twice."""

import hashlib
import os
from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.corpora.nemo_jsonl.duplicates import find_duplicates
from winnow.corpora.nemo_jsonl.line_reader import BLOCK, MAX_LINE, is_blank, read_lines
from winnow.corpora.nemo_jsonl.parse_line import parse_line
from winnow.corpora.nemo_jsonl.sharding import CHANGED_DURING_RUN, cut_shards
from winnow.errors import ManifestError
from winnow.runs import ledger
from winnow.schema import QUARANTINE_REASONS, SHARD, ShardedManifest

MOUNT_CHECK = 200  # so many first rows say whether the audio is there at all


def shard(
    manifest: Path, run: Path, shard_hours: float, folder: Path | None = None, referenced: bool = True
) -> ShardedManifest:
    """Find where shards of about `shard_hours` of audio begin in the manifest, in order; once.

    Relative paths start at the folder, or at the manifest's own where none is given.
    """
    start = str((folder or manifest.parent).absolute())
    content = manifest_digest(manifest)
    key = ledger.key_of("shard", content, str(manifest.absolute()), start, shard_hours, referenced)
    if (done := ledger.find_record(run, key)) is None:
        check(manifest, start, referenced)
        tables, lines, blank = sliced(manifest.absolute(), start, shard_hours, referenced=referenced)
        if manifest_digest(manifest) != content:
            raise ManifestError(CHANGED_DURING_RUN.format(manifest))
        files = [ledger.store_table(run / ledger.STAGES / "shard", f"{i:05}", table) for i, table in enumerate(tables)]
        seconds = [table["seconds"][0].as_py() for table in tables]
        done = ledger.commit(run, key, files, stage="shard", lines=lines, blank=blank, seconds=seconds)
    return ShardedManifest([run / name for name in done["files"]], done["seconds"], done["lines"], done["blank"])


def sliced(
    manifest: Path, folder: str, hours: float, limit: int = MAX_LINE, block: int = BLOCK, referenced: bool = True
) -> tuple[list[pa.Table], int, int]:
    """A table for each shard; how many lines there are, and how many of them are blank."""
    slices, hashes = cut_shards(manifest, folder, hours, limit, block)
    found = find_duplicates(manifest, folder, hashes, limit, referenced)
    tables = []
    for one in slices:
        mine = found.among(one.first, one.lines)
        if one.lines > one.blank:
            row = one._asdict() | {"manifest": str(manifest), "folder": folder}
            tables.append(pa.Table.from_pylist([row | mine._asdict()], SHARD))
    return tables, sum(one.lines for one in slices), sum(one.blank for one in slices)


def check(manifest: Path, folder: str, referenced: bool = True) -> None:
    """Refuse a manifest without any utterance, and one whose first utterances hardly have any audio."""
    paths: list[str] = []
    lines, good, reason = 0, False, None
    with manifest.open("rb") as file:
        for line in read_lines(file.readline):
            lines += 1
            if line is not None and is_blank(line):
                continue
            row = parse_line(line, folder, referenced)
            good, reason = good or row["reason"] is None, reason or row["reason"]
            if "path" in row and len(paths) < MOUNT_CHECK:
                paths.append(row["path"])
            if good and len(paths) == MOUNT_CHECK:
                break
    if not good:
        why = f"; the first is {reason}: {QUARANTINE_REASONS[reason]}" if reason else ""
        raise ManifestError(f"{manifest}: no utterance in {lines} lines{why}")
    missing = [path for path in paths if not os.path.exists(path)]  # noqa: PTH110 (unlike Path's, it never raises)
    if len(missing) * 2 > len(paths):
        raise ManifestError(
            f"{manifest}: {len(missing)} of the first {len(paths)} audio files are missing, "
            f"{missing[0]} to begin with: is the audio mounted? Relative paths start at {folder}."
        )


def manifest_digest(manifest: Path) -> str:
    """The sha256 of the manifest."""
    try:
        with manifest.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ManifestError(f"{manifest}: no manifest that can be read ({error.strerror})") from error


@task(task_run_name="shard {manifest.name}", cache_policy=NO_CACHE, **RETRY)
def shard_manifest(
    manifest: Path, run: Path, shard_hours: float, folder: Path | None = None, referenced: bool = True
) -> ShardedManifest:
    return shard(manifest, run, shard_hours, folder, referenced)
