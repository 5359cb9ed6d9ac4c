"""The folder in which Winnow keeps what it can make or download again."""

import os
import shutil
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from winnow.input_files import expand_home

UNUSED_DAYS = 90


def cache_root() -> Path:
    """Return the cache's folder: WINNOW_CACHE, or `winnow` in XDG_CACHE_HOME, by default ~/.cache."""
    return root_of(*map(os.environ.get, ("WINNOW_CACHE", "XDG_CACHE_HOME", "HOME")))


@cache
def root_of(own: str | None, shared: str | None, _home: str | None) -> Path:
    """Return the folder by the variables of the environment; each file of a pass asks for it."""
    return expand_home(own or Path(shared or "~/.cache", "winnow"))


def mark_used(path: Path) -> bool:
    """Note that a file or folder is used now; return whether it exists."""
    try:
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    except FileNotFoundError:
        return False
    return True


def remove_unused(folder: Path) -> None:
    """Remove what nothing has used for 90 days from a folder, whose files and folders are marked when they are used."""
    oldest = time.time() - UNUSED_DAYS * 86_400
    for path in folder.iterdir():
        with suppress(OSError):  # another process is faster
            if path.lstat().st_atime < oldest:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
