"""Reuse the hypotheses of a finished run in another one, so that other rules can be applied without transcribing."""

import os
from contextlib import suppress
from pathlib import Path

from winnow.errors import OutputError
from winnow.runs import ledger
from winnow.runs.completion import read_completion
from winnow.runs.records import encode_record
from winnow.runs.run_record import read_run_record
from winnow.runs.storage import is_local, put, put_if_absent, sha256_if_exists
from winnow.schema import ShardedManifest

PROPOSALS = "proposals"
"""What a relabelled run calls the proposals among its inputs."""

STAGES_WITH_RULES = ("verdicts", "review", "listen", "relate", "filter", "deduplicate", "publish")
"""The stages whose results depend on reviews or rules, or on what they compare; they are not reused."""


def reuse_hypotheses(original: Path, run: Path) -> None:
    """Take over the files and records of all stages before the rules; files are linked where the disk allows it.

    Raises OutputError if a file is not what its record says.
    """
    if not is_local(original) or not is_local(run):
        raise OutputError(f"{run}: hypotheses can be reused between local folders only, not in an object store")
    for key, record in ledger.read_records(original).items():
        if record.get("stage") in STAGES_WITH_RULES:
            continue
        for name, sha256 in record["files"].items():
            with suppress(FileExistsError, FileNotFoundError):
                link_or_copy(original / name, run / name)
            if sha256_if_exists(run / name) != sha256:
                raise OutputError(
                    f"{original / name}: missing or altered since it was written: make it again with "
                    f"winnow resume {original}, and choose another output"
                )
        put_if_absent(ledger.record_path(run, key), encode_record(key, record))


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


def proposals_digest(run: Path) -> dict[str, str | None]:
    """Return a sha256 that stands for the proposals of a complete run, which a run that is relabelled by them reads."""
    return {PROPOSALS: read_completion(run).ledger}


def is_relabelled(run: Path) -> bool:
    """Tell whether the run was relabelled, or made from one that was."""
    return PROPOSALS in read_run_record(run).sha256


def input_digests(run: Path) -> dict[str, str | None]:
    """Return the sha256 of the manifest, the models and the phrases of the run."""
    return read_run_record(run).sha256
