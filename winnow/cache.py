"""The folder in which Winnow keeps what it can make or download again."""

import os
from pathlib import Path

from winnow.input_files import expand_home


def cache_root() -> Path:
    """Return the cache's folder: WINNOW_CACHE, or `winnow` in XDG_CACHE_HOME, by default ~/.cache."""
    return expand_home(os.environ.get("WINNOW_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "winnow"))
