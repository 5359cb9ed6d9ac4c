"""Which model: a `.nemo` file, or a name that a hub turns into one."""

import difflib
import re
from pathlib import Path

from pydantic import BaseModel

from tasks.checkpoints.copies import copied, digest
from tasks.checkpoints.hub import fetched, watcher
from tasks.checkpoints.preflight import BadCheckpoint as BadCheckpoint
from tasks.checkpoints.preflight import examine
from tasks.models.catalog import open_catalog
from tasks.models.entries import HYBRID, PROMPTED, TRANSDUCERS, Family
from tasks.parameters.credentials import redacted
from tasks.parameters.options import BadOption, Engine
from tasks.runs.storage import DiskFull

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
NGC_NAME = re.compile(r"[\w.-]+")
PIN = "@sha256:"
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
    place, pin = parted(name)
    path = located(place)
    sha256 = pin or digest(path, place)
    shown = str(path.absolute()) if is_file(place) else place
    if path.suffix == ".jsonl":
        return Checkpoint(name=shown, path=path.absolute(), family="readings", sha256=sha256)
    pinned = bool(pin or COMMIT.fullmatch(place))
    if not pinned and not trust_unpinned:
        raise BadCheckpoint(
            f"{place}: not pinned, so it may be another file tomorrow; write {place}{PIN}{sha256} if you mean today's, "
            "or take whatever is there with --trust-unpinned (trust_unpinned)"
        )
    copy = copied(path, place, sha256)
    family = family_of(examine(copy, place), place)
    return Checkpoint(name=shown, path=copy, family=family, sha256=sha256, pinned=pinned)


def at_hand(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint on this machine, which may be another than the one where it was resolved."""
    if checkpoint.path.exists():
        return checkpoint
    return resolve(f"{checkpoint.name}{PIN}{checkpoint.sha256}")


def parted(name: str) -> tuple[str, str | None]:
    """A name without its pin, and the pin: a sha256 in hexadecimal digits."""
    place, found, pin = name.partition(PIN)
    if found and (place.endswith(".jsonl") or not re.fullmatch("[0-9a-fA-F]{64}", pin)):
        raise BadCheckpoint(f"{name}: a checkpoint's pin is {PIN} and 64 hexadecimal digits (sha256sum {place})")
    return place, pin.lower() or None


def is_file(name: str) -> bool:
    """Whether a name is meant as a path."""
    return name.endswith((".nemo", ".jsonl"))


def located(name: str) -> Path:
    """The file of a name, on this machine."""
    path = Path(name).expanduser()
    if is_file(name):
        if not path.is_file():
            raise BadCheckpoint(f"{name}: no such file")
        return path
    refuse_legend(name)
    if HUB_NAME.fullmatch(name):
        return from_hub(name)
    if NGC_NAME.fullmatch(name):
        return from_ngc(name)
    raise BadCheckpoint(
        f"{name}: no .nemo file, no manifest of readings (.jsonl), no hub name such as nvidia/parakeet-tdt_ctc-110m"
    )


def refuse_legend(name: str) -> None:
    """Refuse a name of the guide's that nothing ever had, and say what is meant by it."""
    known = open_catalog()
    if (meaning := known.meaning(name)) and not meaning.exists:
        means = known.names[meaning.means].checkpoint
        raise BadCheckpoint(f"{name}: there is no such model; the nearest is {means}: {meaning.why}")


def family_of(target: str, name: str) -> Family:
    """Which kind of model a class of NeMo's is."""
    family = FAMILIES.get(target.rpartition(".")[2])
    if family is None:
        raise BadCheckpoint(f"{name}: {target} is none of the models that can be run: {', '.join(FAMILIES)}")
    return family


def check_options(options: Engine, checkpoints: list[Checkpoint]) -> None:
    """Refuse what none of a run's models can do."""
    families = {checkpoint.family for checkpoint in checkpoints}
    names = ", ".join(f"{checkpoint.name} ({checkpoint.family})" for checkpoint in checkpoints)
    if options.branch and not families & HYBRID:
        raise BadOption(f"engine.branch is for hybrid checkpoints, and there is none: {names}")
    if options.cuda_graphs and not families & TRANSDUCERS:
        raise BadOption(f"engine.cuda_graphs is for transducers, and there is none: {names}")
    if options.timestamps and not families & {"ctc", *TRANSDUCERS}:
        raise BadOption(f"engine.timestamps needs a CTC or transducer checkpoint, and there is none: {names}")
    if options.language is not None and not families & PROMPTED:
        raise BadOption(f"engine.language is for models with a prompt (canary), and there is none: {names}")
    for option in ("target_language", "punctuation"):
        if getattr(options, option) is not None and "multitask" not in families:
            raise BadOption(f"engine.{option} is for models with a prompt (canary), and there is none: {names}")


def from_hub(name: str) -> Path:
    """The `.nemo` file of a Hugging Face repository, from its cache or the hub (HF_ENDPOINT, HF_HUB_OFFLINE)."""
    repository, file, revision = on_hub(name)
    try:
        return fetched(repository, file, revision)
    except DiskFull:
        raise
    except Exception as error:
        raise BadCheckpoint(
            f"{name}: {file} could not be had from the hub ({one_line(error)}); "
            "without a network, give a path to a .nemo file"
        ) from error


def on_hub(name: str) -> tuple[str, str, str | None]:
    """The repository of a name on the hub, the file in it, and which revision."""
    repository, _, revision = name.partition("@")
    return repository, f"{repository.split('/')[1]}.nemo", revision or None


def from_ngc(name: str) -> Path:
    """The `.nemo` file of a name in NeMo's own list, from NeMo's cache or NVIDIA's NGC."""
    from nemo.collections.asr.models import ASRModel
    from nemo.utils.model_utils import resolve_cache_dir

    known = sorted(model.pretrained_model_name for model in ASRModel.list_available_models())
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; the nearest there is {near[0]}" if near else ""
        raise BadCheckpoint(f"{name}: no .nemo file, no hub name (owner/name), and not in NeMo's list for NGC{hint}")
    before = set(resolve_cache_dir().rglob("*.nemo"))
    try:
        path = Path(ASRModel.from_pretrained(name, return_model_file=True))
    except Exception as error:
        raise BadCheckpoint(
            f"{name}: could not be had from NGC ({one_line(error)}); without a network, give a path to a .nemo file"
        ) from error
    if path not in before:
        watcher.get()(path.stat().st_size, path.stat().st_size)
    return path


def one_line(error: Exception) -> str:
    return redacted((str(error) or type(error).__name__).splitlines()[0])
