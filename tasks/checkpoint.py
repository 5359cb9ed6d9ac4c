"""Which model: a `.nemo` file, or a name that a hub turns into one."""

import hashlib
import re
import tarfile
from pathlib import Path

from pydantic import BaseModel

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


class BadCheckpoint(Exception):
    """A model that cannot be had or is no NeMo checkpoint."""

    exit_code = 7


class Checkpoint(BaseModel, frozen=True):
    """A checkpoint on this machine: the name that was asked for, its file and the file's sha256."""

    name: str
    path: Path
    sha256: str


def resolve(name: str) -> Checkpoint:
    """The checkpoint of a `.nemo` path or of a Hugging Face name (`nvidia/parakeet-tdt_ctc-110m`, `…@revision`).

    A file of readings (`.jsonl`, a NeMo manifest with pred_text) stands for a model that was run elsewhere.
    """
    path = Path(name).expanduser()
    if path.suffix in (".nemo", ".jsonl"):
        if not path.is_file():
            raise BadCheckpoint(f"{name}: no such file")
    elif HUB_NAME.fullmatch(name):
        path = download(name)
    else:
        raise BadCheckpoint(
            f"{name}: no .nemo file, no manifest of readings (.jsonl), no hub name such as nvidia/parakeet-tdt_ctc-110m"
        )
    if path.suffix == ".nemo" and not is_nemo(path):
        raise BadCheckpoint(f"{name}: not a NeMo checkpoint (a tar with model_config.yaml and weights)")
    with path.open("rb") as file:
        return Checkpoint(name=name, path=path.absolute(), sha256=hashlib.file_digest(file, "sha256").hexdigest())


def download(name: str) -> Path:
    """The `.nemo` file of a Hugging Face repository, from its cache or the hub (HF_ENDPOINT, HF_HUB_OFFLINE)."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    file = f"{repository.split('/')[1]}.nemo"
    try:
        return Path(hf_hub_download(repository, file, revision=revision or None))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        cause = str(error).splitlines()[0]
        raise BadCheckpoint(
            f"{name}: {file} could not be had from the hub ({cause}); without a network, give a path to a .nemo file"
        ) from error


def is_nemo(path: Path) -> bool:
    try:
        with tarfile.open(path) as archive:
            names = {Path(member).name for member in archive.getnames()}
    except (tarfile.TarError, OSError):
        return False
    return {"model_config.yaml", "model_weights.ckpt"} <= names
