"""Reuse the hypotheses of a finished run in another one, so that other rules can be applied without transcribing."""

import json
import os
from contextlib import suppress
from pathlib import Path

from winnow.errors import OutputError
from winnow.runs import ledger
from winnow.runs.storage import is_local, put, put_if_absent
from winnow.schema import ShardedManifest

STAGES_WITH_RULES = ("filter", "deduplicate", "publish")
"""The stages whose results depend on the rules; they are not reused."""


def reuse_hypotheses(original: Path, run: Path) -> None:
    """Take over the files and records of all stages before the rules; files are linked where the disk allows it."""
    if not is_local(original) or not is_local(run):
        raise OutputError(f"{run}: hypotheses can be reused between local folders only, not in an object store")
    for key, record in ledger.read_records(original).items():
        if record.get("stage") in STAGES_WITH_RULES:
            continue
        for name in record["files"]:
            with suppress(FileExistsError):
                link_or_copy(original / name, run / name)
        put_if_absent(run / ledger.LEDGER / f"{key}.json", json.dumps(record, sort_keys=True).encode())


def link_or_copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except FileExistsError:
        raise
    except OSError:  # another disk
        put(target, file.read_bytes())


def sharded_manifest(run: Path) -> ShardedManifest:
    """Return how the run's manifest was split into shards."""
    (record,) = (record for record in ledger.read_records(run).values() if record.get("stage") == "shard")
    files = [run / name for name in record["files"]]
    return ShardedManifest(files, record["seconds"], record["lines"], record["blank"])


def input_digests(run: Path) -> dict[str, str | None]:
    """Return the sha256 of the manifest, the models and the phrases of the run."""
    digests: dict[str, str | None] = json.loads((run / "run.json").read_bytes())["sha256"]
    return digests
