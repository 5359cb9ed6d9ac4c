"""The readings of a finished run in the folder of another, so that they are judged anew without being made anew."""

import json
import os
from contextlib import suppress
from pathlib import Path

from winnow.errors import OutputError
from winnow.runs import ledger
from winnow.runs.storage import is_local, put, put_if_absent
from winnow.schema import ShardedManifest

AFTER = ("filter", "publish")
"""The stages that depend on the rules."""


def reuse_hypotheses(before: Path, run: Path) -> None:
    """Put the files and records of all stages before the rules into the run; a file is there once where disks allow."""
    if not is_local(before) or not is_local(run):
        raise OutputError(f"{run}: readings are taken over from folder to folder, not through an object store")
    for key, record in ledger.read_records(before).items():
        if record.get("stage") in AFTER:
            continue
        for name in record["files"]:
            with suppress(FileExistsError):
                link_or_copy(before / name, run / name)
        put_if_absent(run / "_ledger" / f"{key}.json", json.dumps(record, sort_keys=True).encode())


def link_or_copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, to)
    except FileExistsError:
        raise
    except OSError:  # another disk
        put(to, file.read_bytes())


def sharded_manifest(run: Path) -> ShardedManifest:
    """The run's manifest as it was cut."""
    (cut,) = (record for record in ledger.read_records(run).values() if record.get("stage") == "shard")
    return ShardedManifest([run / name for name in cut["files"]], cut["seconds"], cut["lines"], cut["blank"])


def input_digests(run: Path) -> dict[str, str | None]:
    """The sha256 of what the run read."""
    found: dict[str, str | None] = json.loads((run / "run.json").read_bytes())["sha256"]
    return found
