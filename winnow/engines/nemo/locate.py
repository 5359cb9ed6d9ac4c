"""Where NeMo checkpoints come from: a `.nemo` file, a repository on the Hugging Face hub, or a name on NVIDIA's NGC."""

import difflib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from winnow.engines.engine import find_model_file
from winnow.engines.hub import commit_of, fetch, progress_callback
from winnow.engines.nemo.nemo_import import import_asr_models
from winnow.errors import CheckpointError, DiskFull
from winnow.input_files import expand_home
from winnow.parameters.redaction import error_line
from winnow.pins import without_pin

HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w./-]+)?")
NGC_NAME = re.compile(r"\w[\w.-]*")
COMMIT = re.compile(r"[^@]+@[0-9a-f]{40}")


def locate(model_name: str) -> Path:
    """Return the file of a model on this machine, downloaded if necessary."""
    if model_name.endswith(".nemo"):
        return find_model_file(model_name)
    return download_from_hub(model_name) if HUB_NAME.fullmatch(model_name) else download_from_ngc(model_name)


def download_from_hub(model_name: str) -> Path:
    """Return the `.nemo` file of a repository, from the hub or its cache (HF_ENDPOINT, HF_HUB_OFFLINE)."""
    repository, file, revision = parse_hub_name(model_name)
    with hub_errors(model_name, file):
        return fetch(repository, file, revision)


def current_commit(model_name: str) -> str | None:
    """Return a name on the hub with the commit that it means today; None if the hub does not answer."""
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    repository, file, revision = parse_hub_name(model_name)
    with hub_errors(model_name, file):
        try:
            return f"{repository}@{commit_of(repository, file, revision)}"
        except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except Exception:
            return None


@contextmanager
def hub_errors(model_name: str, file: str) -> Iterator[None]:
    """Turn what the hub's client raises into CheckpointError."""
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{model_name}: {file} cannot be downloaded from the hub ({error_line(error)}); "
            "without a network, give a path to a .nemo file"
        ) from error


def parse_hub_name(model_name: str) -> tuple[str, str, str | None]:
    """Split a name on the hub into its repository, the file in it, and the revision, if there is one."""
    repository, _, revision = model_name.partition("@")
    return repository, f"{repository.split('/')[1]}.nemo", revision or None


def raise_if_unlisted(model_name: str) -> None:
    """Refuse a name that is not in NeMo's list for NGC."""
    models = import_asr_models()
    listed = sorted(model.pretrained_model_name for model in models.ASRModel.list_available_models())
    if model_name not in listed:
        near = difflib.get_close_matches(model_name, listed, n=1)
        hint = f"; the nearest there is {near[0]}" if near else ""
        raise CheckpointError(
            f"{model_name}: not a .nemo file, nor a hub name (owner/name), nor in NeMo's list for NGC{hint}"
        )


def download_from_ngc(model_name: str) -> Path:
    """Return the `.nemo` file of a name in NeMo's own list, from NGC or NeMo's cache."""
    from nemo.collections.asr.models import ASRModel
    from nemo.utils.model_utils import resolve_cache_dir

    raise_if_unlisted(model_name)
    cached = set(resolve_cache_dir().rglob("*.nemo"))
    try:
        path = Path(ASRModel.from_pretrained(model_name, return_model_file=True))
    except Exception as error:
        raise CheckpointError(
            f"{model_name}: cannot be downloaded from NGC ({error_line(error)}); "
            "without a network, give a path to a .nemo file"
        ) from error
    if path not in cached:
        progress_callback.get()(path.stat().st_size, path.stat().st_size)
    return path


def find_downloaded(model_name: str) -> Path | None:
    """Return the file of a model, pinned or not, if it is here: at its path, or in the cache of the hub or NGC."""
    file = expand_home(without_pin(model_name))
    if file.suffix == ".nemo":
        return file if file.is_file() else None
    name, _, revision = model_name.partition("@")
    if "/" in name:
        return find_in_hub_cache(name, None if revision.startswith("sha256:") else revision or None)
    return next(iter(sorted(nemo_cache().glob(f"{name}/*/{name}.nemo"))), None)


def find_in_hub_cache(repository: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, f"{repository.split('/')[1]}.nemo", revision=revision)
    return Path(path) if isinstance(path, str) else None


def nemo_cache() -> Path:
    """Return the folder where NeMo keeps its downloads from NGC (NEMO_CACHE_DIR)."""
    folder = os.environ.get("NEMO_CACHE_DIR")
    return expand_home(folder or f"~/.cache/torch/NeMo/NeMo_{version('nemo_toolkit')}")
