"""From the name of a model to a checkpoint on this machine."""

from winnow.engines.engine import Checkpoint
from winnow.engines.registry import engine_for
from winnow.errors import CheckpointError
from winnow.models.catalog import open_catalog


def resolve(model_name: str, trust_unpinned: bool = False) -> Checkpoint:
    """Return the checkpoint of a model name, downloaded and checked by the engine that claims the name.

    `@sha256:` and the file's digest pin a name. Raises CheckpointError if the model is not found, is not what its pin
    says, fails its preflight, or is neither pinned nor trusted.
    """
    raise_if_nonexistent(model_name)
    return engine_for(model_name).resolve(model_name, trust_unpinned)


def raise_if_nonexistent(model_name: str) -> None:
    """Refuse a name from the guide that no model has ever had, and suggest the nearest model."""
    catalog = open_catalog()
    if (meaning := catalog.meaning(model_name)) and not meaning.exists:
        nearest = catalog.names[meaning.means].checkpoint
        raise CheckpointError(f"{model_name}: there is no such model; the nearest is {nearest}: {meaning.why}")
