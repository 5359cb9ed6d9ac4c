"""Downloads of models ahead of a run: each is copied into the private cache and passes its preflight."""

import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel

from winnow.digests import PIN_PREFIX
from winnow.engines.checkpoint_cache import private_folder
from winnow.engines.hub import progress_callback
from winnow.engines.registry import ENGINES, engine_for
from winnow.errors import OptionError
from winnow.input_files import expand_home
from winnow.models.resolve import resolve
from winnow.parameters.redaction import error_line
from winnow.pins import split_pin

ProgressCallback = Callable[[str, int, int | None], None]
"""Called with a model's name, how many of its bytes have arrived, and how many it has, if that is known."""


class DownloadedModel(BaseModel, frozen=True):
    """The outcome of a download: cached before, fetched from a hub, copied from a local file, or failed.

    `bytes` and `sha256` describe the checkpoint's file, if there is one; `cause` says why a download failed.
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

    def table_row(self) -> dict[str, Any]:
        size = self.bytes and f"{self.bytes / 1e6:,.1f} MB"
        row = {"model": self.model, "state": self.state, "size": size, "sha256": self.sha256}
        return row | {"seconds": round(self.seconds, 1), "cause": self.cause}


def expand_folders(names: list[str]) -> list[str]:
    """List each model once, with the checkpoint files of a folder in its place.

    Raises OptionError if a folder has none.
    """
    suffixes = tuple(suffix for engine in ENGINES.values() if not engine.precomputed for suffix in engine.suffixes)
    models: dict[str, None] = {}
    for name in names:
        folder = expand_home(name)
        if not folder.is_dir():
            models[name] = None
            continue
        files = sorted(str(path) for path in folder.iterdir() if path.name.endswith(suffixes))
        if not files:
            raise OptionError(f"{name}: no checkpoint ({', '.join(suffixes)}) in this folder")
        models |= dict.fromkeys(files)
    return list(models)


def download(name: str, trust_unpinned: bool, report: ProgressCallback) -> DownloadedModel:
    """Bring a model to this machine, unless it is here; an error becomes the `cause` of a failed download."""
    began = time.monotonic()
    fetched = False

    def report_model(downloaded: int, size: int | None) -> None:
        nonlocal fetched
        fetched = True
        report(name, downloaded, size)

    token = progress_callback.set(report_model)
    try:
        cached = set(private_folder().iterdir())
        checkpoint = resolve(name, trust_unpinned)
    except Exception as error:
        return DownloadedModel(model=name, state="failed", seconds=time.monotonic() - began, cause=error_line(error))
    finally:
        progress_callback.reset(token)
    engine = engine_for(name)
    local = checkpoint.path in cached or engine.precomputed or engine.elsewhere
    return DownloadedModel(
        model=name,
        state="fetched" if fetched else "cached" if local else "copied",
        seconds=time.monotonic() - began,
        bytes=None if engine.elsewhere else engine.bytes_of(engine.find_downloaded(name) or checkpoint.path),
        sha256=checkpoint.sha256,
    )
