"""Which checkpoints are on this machine already, so that no network is needed for them."""

import os
from importlib.metadata import version
from pathlib import Path


def find_downloaded(checkpoint: str) -> Path | None:
    """The file of a checkpoint as a run takes it: the path itself, or in the hub's cache, or in NeMo's for NGC."""
    name, _, revision = checkpoint.partition("@")
    if name.endswith((".nemo", ".jsonl")):
        return Path(name) if Path(name).is_file() else None
    if "/" in name:
        return in_hub_cache(name, None if revision.startswith("sha256:") else revision or None)
    return next(iter(sorted(nemo_cache().glob(f"{name}/*/{name}.nemo"))), None)


def in_hub_cache(repository: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, f"{repository.split('/')[1]}.nemo", revision=revision)
    return Path(found) if isinstance(found, str) else None


def nemo_cache() -> Path:
    """Where NeMo keeps what it got from NGC."""
    given = os.environ.get("NEMO_CACHE_DIR")
    return Path(given or f"~/.cache/torch/NeMo/NeMo_{version('nemo_toolkit')}").expanduser()
