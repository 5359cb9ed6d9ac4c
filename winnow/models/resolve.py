"""Which model: a `.nemo` file, or a name that a hub turns into one."""

import difflib
import re
from pathlib import Path

from pydantic import BaseModel

from winnow.engines.checkpoint_cache import private_copy, sha256_of
from winnow.engines.hub import fetch, progress_callback
from winnow.engines.nemo.preflight import CheckpointError, run_preflight
from winnow.models.catalog import open_catalog
from winnow.models.catalog_schema import HYBRID, PROMPTED, TRANSDUCERS, Family
from winnow.parameters.options import Engine, OptionError
from winnow.parameters.redaction import redact_text
from winnow.runs.storage import DiskFull

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
NGC_NAME = re.compile(r"[\w.-]+")
PIN_PREFIX = "@sha256:"
COMMIT = re.compile(r"[^@]+@[0-9a-f]{40}")

FAMILIES: dict[str, Family] = {
    "EncDecCTCModel": "ctc",
    "EncDecCTCModelBPE": "ctc",
    "EncDecRNNTModel": "transducer",
    "EncDecRNNTBPEModel": "transducer",
    "EncDecRNNTBPEModelWithPrompt": "prompted transducer",
    "EncDecHybridRNNTCTCModel": "hybrid",
    "EncDecHybridRNNTCTCBPEModel": "hybrid",
    "EncDecHybridRNNTCTCBPEModelWithPrompt": "prompted hybrid",
    "EncDecMultiTaskModel": "multitask",
}
"""NeMo's classes of models that transcribe."""


class Checkpoint(BaseModel, frozen=True):
    """A checkpoint on this machine: the name that was asked for (a file's from its root), its family and its sha256.

    `path` is a private copy, which was examined; `pinned` whether the name said which file it must be.
    """

    name: str
    path: Path
    family: Family
    sha256: str
    pinned: bool = True


def resolve(name: str, trust_unpinned: bool = False) -> Checkpoint:
    """The checkpoint of a `.nemo` path or of a name on Hugging Face or NVIDIA's NGC, fit to be opened.

    On Hugging Face it is `nvidia/parakeet-tdt_ctc-110m`, on NGC a name of NeMo's own list. `@sha256:` and the file's
    digest pin any of them, `@` and a commit one on Hugging Face; one that is not pinned must be trusted by name.
    A file of readings (`.jsonl`, a NeMo manifest with pred_text) stands for a model that was run elsewhere.
    """
    place, pin = split_pin(name)
    path = locate(place)
    sha256 = pin or sha256_of(path, place)
    shown = str(path.absolute()) if is_path(place) else place
    if path.suffix == ".jsonl":
        return Checkpoint(name=shown, path=path.absolute(), family="readings", sha256=sha256)
    pinned = bool(pin or COMMIT.fullmatch(place))
    if not pinned and not trust_unpinned:
        raise CheckpointError(
            f"{place}: not pinned, so it may be another file tomorrow; write {place}{PIN_PREFIX}{sha256} if you mean today's, "
            "or take whatever is there with --trust-unpinned (trust_unpinned)"
        )
    copy = private_copy(path, place, sha256)
    family = family_of(run_preflight(copy, place), place)
    return Checkpoint(name=shown, path=copy, family=family, sha256=sha256, pinned=pinned)


def ensure_local(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint on this machine, which may be another than the one where it was resolved."""
    if checkpoint.path.exists():
        return checkpoint
    return resolve(f"{checkpoint.name}{PIN_PREFIX}{checkpoint.sha256}")


def split_pin(name: str) -> tuple[str, str | None]:
    """A name without its pin, and the pin: a sha256 in hexadecimal digits."""
    place, found, pin = name.partition(PIN_PREFIX)
    if found and (place.endswith(".jsonl") or not re.fullmatch("[0-9a-fA-F]{64}", pin)):
        raise CheckpointError(
            f"{name}: a checkpoint's pin is {PIN_PREFIX} and 64 hexadecimal digits (sha256sum {place})"
        )
    return place, pin.lower() or None


def is_path(name: str) -> bool:
    """Whether a name is meant as a path."""
    return name.endswith((".nemo", ".jsonl"))


def locate(name: str) -> Path:
    """The file of a name, on this machine."""
    path = Path(name).expanduser()
    if is_path(name):
        if not path.is_file():
            raise CheckpointError(f"{name}: no such file")
        return path
    refuse_nonexistent(name)
    if HUB_NAME.fullmatch(name):
        return download_from_hub(name)
    if NGC_NAME.fullmatch(name):
        return download_from_ngc(name)
    raise CheckpointError(
        f"{name}: no .nemo file, no manifest of readings (.jsonl), no hub name such as nvidia/parakeet-tdt_ctc-110m"
    )


def refuse_nonexistent(name: str) -> None:
    """Refuse a name of the guide's that nothing ever had, and say what is meant by it."""
    known = open_catalog()
    if (meaning := known.meaning(name)) and not meaning.exists:
        means = known.names[meaning.means].checkpoint
        raise CheckpointError(f"{name}: there is no such model; the nearest is {means}: {meaning.why}")


def family_of(target: str, name: str) -> Family:
    """Which kind of model a class of NeMo's is."""
    family = FAMILIES.get(target.rpartition(".")[2])
    if family is None:
        raise CheckpointError(f"{name}: {target} is none of the models that can be run: {', '.join(FAMILIES)}")
    return family


def check_options(options: Engine, checkpoints: list[Checkpoint]) -> None:
    """Refuse what none of a run's models can do."""
    families = {checkpoint.family for checkpoint in checkpoints}
    names = ", ".join(f"{checkpoint.name} ({checkpoint.family})" for checkpoint in checkpoints)
    if options.branch and not families & HYBRID:
        raise OptionError(f"engine.branch is for hybrid checkpoints, and there is none: {names}")
    if options.cuda_graphs and not families & TRANSDUCERS:
        raise OptionError(f"engine.cuda_graphs is for transducers, and there is none: {names}")
    if options.timestamps and not families & {"ctc", *TRANSDUCERS}:
        raise OptionError(f"engine.timestamps needs a CTC or transducer checkpoint, and there is none: {names}")
    if options.language is not None and not families & PROMPTED:
        raise OptionError(f"engine.language is for models with a prompt (canary), and there is none: {names}")
    for option in ("target_language", "punctuation"):
        if getattr(options, option) is not None and "multitask" not in families:
            raise OptionError(f"engine.{option} is for models with a prompt (canary), and there is none: {names}")


def download_from_hub(name: str) -> Path:
    """The `.nemo` file of a Hugging Face repository, from its cache or the hub (HF_ENDPOINT, HF_HUB_OFFLINE)."""
    repository, file, revision = parse_hub_name(name)
    try:
        return fetch(repository, file, revision)
    except DiskFull:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{name}: {file} could not be had from the hub ({first_line(error)}); "
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
            f"{name}: could not be had from NGC ({first_line(error)}); without a network, give a path to a .nemo file"
        ) from error
    if path not in before:
        progress_callback.get()(path.stat().st_size, path.stat().st_size)
    return path


def first_line(error: Exception) -> str:
    return redact_text((str(error) or type(error).__name__).splitlines()[0])
