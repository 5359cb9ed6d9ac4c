"""Which model: a `.nemo` file, or a name that a hub turns into one."""

from pathlib import Path

from winnow.engines.checkpoint import PIN_PREFIX, Checkpoint, split_pin
from winnow.engines.checkpoint_cache import private_copy, sha256_of
from winnow.engines.nemo.locate import COMMIT, HUB_NAME, NGC_NAME, download_from_hub, download_from_ngc, family_of
from winnow.engines.nemo.preflight import run_preflight
from winnow.errors import CheckpointError
from winnow.models.catalog import open_catalog


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
            f"{place}: not pinned, so it may be another file tomorrow; pin today's as {place}{PIN_PREFIX}{sha256}, "
            "or accept any with --trust-unpinned (trust_unpinned)"
        )
    copy = private_copy(path, place, sha256)
    family = family_of(run_preflight(copy, place), place)
    return Checkpoint(name=shown, path=copy, family=family, sha256=sha256, pinned=pinned)


def ensure_local(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint on this machine, which may be another than the one where it was resolved."""
    if checkpoint.path.exists():
        return checkpoint
    return resolve(f"{checkpoint.name}{PIN_PREFIX}{checkpoint.sha256}")


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
