"""From the name of a model to a checkpoint on this machine."""

from collections.abc import Iterable

from winnow.digests import PIN_PREFIX
from winnow.engines.checkpoint_cache import checkpoint_digest
from winnow.engines.engine import Checkpoint
from winnow.engines.registry import engine_for, is_path
from winnow.errors import CheckpointError
from winnow.input_files import expand_home
from winnow.models.catalog import open_catalog
from winnow.pins import split_pin


def resolve(model_name: str, trust_unpinned: bool = False) -> Checkpoint:
    """Return the checkpoint of a model name, downloaded and checked by the engine that claims the name.

    `@sha256:` and the file's digest pin a name. Raises CheckpointError if the model is not found, is not what its pin
    says, fails its preflight, or comes from a hub and is neither pinned nor trusted.
    """
    return resolve_all([model_name], trust_unpinned)[model_name]


def resolve_all(model_names: Iterable[str], trust_unpinned: bool = False) -> dict[str, Checkpoint]:
    """Return the checkpoint of each model name; the names that must be pinned are refused before any is downloaded."""
    names = list(dict.fromkeys(model_names))
    for name in names:
        raise_if_nonexistent(name)
    if not trust_unpinned:
        raise_if_unpinned(names)
    return {name: engine_for(name).resolve(name) for name in names}


def raise_if_unpinned(model_names: list[str]) -> None:
    """Refuse names that others can give another file to; the message has today's pins."""
    unpinned = [name for name in model_names if engine_for(name).needs_pin(name)]
    if not unpinned:
        return
    pins = {name: engine_for(name).current_pin(name) for name in unpinned}
    unknown = [name for name, pin in pins.items() if pin is None]
    source = f" (winnow download-models {' '.join(unknown)} --trust-unpinned shows it)" if unknown else ""
    raise CheckpointError(
        f"{', '.join(unpinned)}: not pinned, so another file may have this name tomorrow; pin today's as "
        f"{', '.join(pin or f'{name}{PIN_PREFIX}…' for name, pin in pins.items())}{source}, or accept any with "
        "--trust-unpinned (trust_unpinned)"
    )


def check_model(model_name: str) -> None:
    """Raise CheckpointError for a model that cannot be resolved, as far as its name and a look at the disk show."""
    raise_if_nonexistent(model_name)
    engine_for(model_name).check_name(model_name)


def known_digest(model_name: str) -> str | None:
    """Return the sha256 of a model, if its pin or its file on this machine says it; nothing else is looked at."""
    name, pin = split_pin(model_name)
    return pin or (checkpoint_digest(expand_home(name), name) if is_path(name) else None)


def raise_if_nonexistent(model_name: str) -> None:
    """Refuse a name from the guide that no model has ever had, and suggest the nearest model."""
    catalog = open_catalog()
    if (meaning := catalog.meaning(model_name)) and not meaning.exists:
        nearest = catalog.names[meaning.means].checkpoint
        raise CheckpointError(f"{model_name}: there is no such model; the nearest is {nearest}: {meaning.why}")
