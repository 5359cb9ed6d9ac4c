"""From the name of a model to a checkpoint on this machine."""

from pathlib import Path

from winnow.engines.checkpoint_cache import checkpoint_digest
from winnow.engines.engine import Checkpoint, split_pin
from winnow.engines.registry import engine_for, is_path
from winnow.errors import CheckpointError
from winnow.models.catalog import open_catalog


def resolve(model_name: str, trust_unpinned: bool = False) -> Checkpoint:
    """Return the checkpoint of a model name, downloaded and checked by the engine that claims the name.

    `@sha256:` and the file's digest pin a name. Raises CheckpointError if the model is not found, is not what its pin
    says, fails its preflight, or is neither pinned nor trusted.
    """
    raise_if_nonexistent(model_name)
    return engine_for(model_name).resolve(model_name, trust_unpinned)


def check_model(model_name: str, trust_unpinned: bool = False) -> None:
    """Raise CheckpointError for a model that cannot be resolved, as far as its name and a look at the disk show."""
    raise_if_nonexistent(model_name)
    engine_for(model_name).check_name(model_name, trust_unpinned)


def known_digest(model_name: str) -> str | None:
    """Return the sha256 of a model, if its pin or its file on this machine says it; nothing else is looked at."""
    name, pin = split_pin(model_name)
    return pin or (checkpoint_digest(Path(name).expanduser(), name) if is_path(name) else None)


def raise_if_nonexistent(model_name: str) -> None:
    """Refuse a name from the guide that no model has ever had, and suggest the nearest model."""
    catalog = open_catalog()
    if (meaning := catalog.meaning(model_name)) and not meaning.exists:
        nearest = catalog.names[meaning.means].checkpoint
        raise CheckpointError(f"{model_name}: there is no such model; the nearest is {nearest}: {meaning.why}")
