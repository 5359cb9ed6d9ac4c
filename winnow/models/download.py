"""Models at hand before a run needs them: downloaded, copied and checked."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from winnow.engines.checkpoint_cache import private_folder
from winnow.engines.engine import PIN_PREFIX, split_pin
from winnow.engines.hub import progress_callback
from winnow.engines.registry import ENGINES, engine_for
from winnow.errors import OptionError
from winnow.models.resolve import resolve
from winnow.parameters.redaction import first_line

ProgressCallback = Callable[[str, int, int | None], None]
"""Who is told of a download: the model, the bytes that are there, and how many it has."""


class DownloadedModel(BaseModel, frozen=True):
    """What became of a model: it was at hand (cached), fetched from a hub, copied from its file, or it failed.

    `bytes` and `sha256` are the checkpoint's; null where there is none. `cause` says why it failed.
    """

    model: str
    state: Literal["cached", "fetched", "copied", "failed"]
    seconds: float
    bytes: int | None = None
    sha256: str | None = None
    cause: str | None = None

    @property
    def pin(self) -> str | None:
        """The name that means this file and no other."""
        return self.sha256 and f"{split_pin(self.model)[0]}{PIN_PREFIX}{self.sha256}"

    def shown(self) -> dict[str, Any]:
        """The row of a table."""
        size = self.bytes and f"{self.bytes / 1e6:,.1f} MB"
        row = {"model": self.model, "state": self.state, "size": size, "sha256": self.sha256}
        return row | {"seconds": round(self.seconds, 1), "cause": self.cause}


def expand_folders(names: list[str]) -> list[str]:
    """List each model once, with the checkpoint files of a folder in its place."""
    suffixes = tuple(suffix for engine in ENGINES.values() if not engine.precomputed for suffix in engine.suffixes)
    found: dict[str, None] = {}
    for name in names:
        folder = Path(name).expanduser()
        inside = (
            sorted(str(path) for path in folder.iterdir() if path.name.endswith(suffixes))
            if folder.is_dir()
            else [name]
        )
        if not inside:
            raise OptionError(f"{name}: no checkpoint ({', '.join(suffixes)}) in this folder")
        found |= dict.fromkeys(inside)
    return list(found)


def download(name: str, trust_unpinned: bool, tell: ProgressCallback) -> DownloadedModel:
    """Have the model at hand; what is there already is neither fetched nor copied again."""
    began = time.monotonic()
    fetched = False

    def watch(there: int, size: int | None) -> None:
        nonlocal fetched
        fetched = True
        tell(name, there, size)

    token = progress_callback.set(watch)
    try:
        before = set(private_folder().iterdir())
        checkpoint = resolve(name, trust_unpinned)
    except Exception as error:
        return DownloadedModel(model=name, state="failed", seconds=time.monotonic() - began, cause=first_line(error))
    finally:
        progress_callback.reset(token)
    at_hand = checkpoint.path in before or engine_for(name).precomputed
    return DownloadedModel(
        model=name,
        state="fetched" if fetched else "cached" if at_hand else "copied",
        seconds=time.monotonic() - began,
        bytes=checkpoint.path.stat().st_size,
        sha256=checkpoint.sha256,
    )
