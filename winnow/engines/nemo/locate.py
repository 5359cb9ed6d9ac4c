"""Where a NeMo checkpoint is: a `.nemo` file, a repository on the hub, or a name on NGC."""

import difflib
import os
import re
from importlib.metadata import version
from pathlib import Path

from winnow.engines.hub import fetch, progress_callback
from winnow.errors import CheckpointError, DiskFull
from winnow.parameters.redaction import error_line

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


NGC_NAME = re.compile(r"[\w.-]+")


COMMIT = re.compile(r"[^@]+@[0-9a-f]{40}")


def locate(model_name: str) -> Path:
    """Return the file of a model on this machine, downloaded if necessary."""
    if model_name.endswith(".nemo"):
        path = Path(model_name).expanduser()
        if not path.is_file():
            raise CheckpointError(f"{model_name}: no such file")
        return path
    return download_from_hub(model_name) if HUB_NAME.fullmatch(model_name) else download_from_ngc(model_name)


def download_from_hub(name: str) -> Path:
    """The `.nemo` file of a Hugging Face repository, from its cache or the hub (HF_ENDPOINT, HF_HUB_OFFLINE)."""
    repository, file, revision = parse_hub_name(name)
    try:
        return fetch(repository, file, revision)
    except DiskFull:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{name}: {file} could not be had from the hub ({error_line(error)}); "
            "without a network, give a path to a .nemo file"
        ) from error


def parse_hub_name(name: str) -> tuple[str, str, str | None]:
    """The repository of a name on the hub, the file in it, and which revision."""
    repository, _, revision = name.partition("@")
    return repository, f"{repository.split('/')[1]}.nemo", revision or None


def download_from_ngc(name: str) -> Path:
    """The `.nemo` file of a name in NeMo's own list, from NeMo's cache or NVIDIA's NGC."""
    from nemo.collections.asr.models import ASRModel
    from nemo.utils.model_utils import resolve_cache_dir

    known = sorted(model.pretrained_model_name for model in ASRModel.list_available_models())
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; the nearest there is {near[0]}" if near else ""
        raise CheckpointError(f"{name}: no .nemo file, no hub name (owner/name), and not in NeMo's list for NGC{hint}")
    before = set(resolve_cache_dir().rglob("*.nemo"))
    try:
        path = Path(ASRModel.from_pretrained(name, return_model_file=True))
    except Exception as error:
        raise CheckpointError(
            f"{name}: could not be had from NGC ({error_line(error)}); without a network, give a path to a .nemo file"
        ) from error
    if path not in before:
        progress_callback.get()(path.stat().st_size, path.stat().st_size)
    return path


def find_downloaded(checkpoint: str) -> Path | None:
    """The file of a checkpoint as a run takes it: the path itself, or in the hub's cache, or in NeMo's for NGC."""
    name, _, revision = checkpoint.partition("@")
    if name.endswith(".nemo"):
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
