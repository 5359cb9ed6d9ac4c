"""Which model: a `.nemo` file, or a name that a hub turns into one."""

import difflib
import hashlib
import re
import tarfile
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from tasks.config import BadOption, Engine

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
NGC_NAME = re.compile(r"[\w.-]+")

Family = Literal["ctc", "transducer", "hybrid", "multitask", "readings"]
FAMILIES: dict[str, Family] = {
    "EncDecCTCModel": "ctc",
    "EncDecCTCModelBPE": "ctc",
    "EncDecRNNTModel": "transducer",
    "EncDecRNNTBPEModel": "transducer",
    "EncDecHybridRNNTCTCModel": "hybrid",
    "EncDecHybridRNNTCTCBPEModel": "hybrid",
    "EncDecMultiTaskModel": "multitask",
}
"""NeMo's classes of models that transcribe."""


class BadCheckpoint(Exception):
    """A model that cannot be had or is no NeMo checkpoint."""

    exit_code = 7


class Checkpoint(BaseModel, frozen=True):
    """A checkpoint on this machine: the name that was asked for, its file, its family and the file's sha256."""

    name: str
    path: Path
    family: Family
    sha256: str


def resolve(name: str) -> Checkpoint:
    """The checkpoint of a `.nemo` path or of a name on Hugging Face or NVIDIA's NGC.

    On Hugging Face it is `nvidia/parakeet-tdt_ctc-110m`, with `@revision` to pin it; on NGC a name of NeMo's own list.
    A file of readings (`.jsonl`, a NeMo manifest with pred_text) stands for a model that was run elsewhere.
    """
    path = Path(name).expanduser()
    if path.suffix in (".nemo", ".jsonl"):
        if not path.is_file():
            raise BadCheckpoint(f"{name}: no such file")
    elif HUB_NAME.fullmatch(name):
        path = from_hub(name)
    elif NGC_NAME.fullmatch(name):
        path = from_ngc(name)
    else:
        raise BadCheckpoint(
            f"{name}: no .nemo file, no manifest of readings (.jsonl), no hub name such as nvidia/parakeet-tdt_ctc-110m"
        )
    family = "readings" if path.suffix == ".jsonl" else family_of(name, path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Checkpoint(name=name, path=path.absolute(), family=family, sha256=sha256)


def family_of(name: str, path: Path) -> Family:
    """Which kind of model a `.nemo` file holds, by its configuration."""
    target = str(configuration(name, path).get("target"))
    family = FAMILIES.get(target.rpartition(".")[2])
    if family is None:
        raise BadCheckpoint(f"{name}: {target} is none of the models that can be run: {', '.join(FAMILIES)}")
    return family


def configuration(name: str, path: Path) -> dict[str, Any]:
    """The configuration in a `.nemo` file."""
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: member for member in archive.getmembers()}
            if "model_weights.ckpt" in members and (file := archive.extractfile(members["model_config.yaml"])):
                found = yaml.safe_load(file)
                if isinstance(found, dict):
                    return found
    except (tarfile.TarError, OSError, KeyError, yaml.YAMLError):
        pass
    raise BadCheckpoint(f"{name}: not a NeMo checkpoint (a tar with model_config.yaml and weights)")


def check_options(options: Engine, checkpoints: list[Checkpoint]) -> None:
    """Refuse what none of a run's models can do."""
    families = {checkpoint.family for checkpoint in checkpoints}
    names = ", ".join(f"{checkpoint.name} ({checkpoint.family})" for checkpoint in checkpoints)
    prompts = ("language", "target_language", "punctuation")
    if options.branch and "hybrid" not in families:
        raise BadOption(f"engine.branch is for hybrid checkpoints, and there is none: {names}")
    if options.cuda_graphs and not families & {"hybrid", "transducer"}:
        raise BadOption(f"engine.cuda_graphs is for transducers, and there is none: {names}")
    if options.timestamps and not families & {"hybrid", "transducer", "ctc"}:
        raise BadOption(f"engine.timestamps needs a CTC or transducer checkpoint, and there is none: {names}")
    for option in prompts:
        if getattr(options, option) is not None and "multitask" not in families:
            raise BadOption(f"engine.{option} is for models with a prompt (canary), and there is none: {names}")


def from_hub(name: str) -> Path:
    """The `.nemo` file of a Hugging Face repository, from its cache or the hub (HF_ENDPOINT, HF_HUB_OFFLINE)."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    file = f"{repository.split('/')[1]}.nemo"
    try:
        return Path(hf_hub_download(repository, file, revision=revision or None))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BadCheckpoint(
            f"{name}: {file} could not be had from the hub ({one_line(error)}); "
            "without a network, give a path to a .nemo file"
        ) from error


def from_ngc(name: str) -> Path:
    """The `.nemo` file of a name in NeMo's own list, from NeMo's cache or NVIDIA's NGC."""
    from nemo.collections.asr.models import ASRModel

    known = sorted(model.pretrained_model_name for model in ASRModel.list_available_models())
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; the nearest there is {near[0]}" if near else ""
        raise BadCheckpoint(f"{name}: no .nemo file, no hub name (owner/name), and not in NeMo's list for NGC{hint}")
    try:
        return Path(ASRModel.from_pretrained(name, return_model_file=True))
    except Exception as error:
        raise BadCheckpoint(
            f"{name}: could not be had from NGC ({one_line(error)}); without a network, give a path to a .nemo file"
        ) from error


def one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
