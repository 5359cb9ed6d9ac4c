"""Paths of files that users name: `~` in them, and what cannot be read more than once, or not at all."""

import os
import stat
from pathlib import Path

ONCE = "which can be read only once: write it to a file first"


def expand_home(path: str | Path) -> Path:
    """Return the path with the home folder in the place of a leading `~`; of an unknown user, it stays."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (Path's raises for an unknown user)


def is_file(path: str | Path) -> bool:
    """Tell whether a path, with `~` in it or not, is that of a file; False if no file can have such a path."""
    return os.path.isfile(expand_home(path))  # noqa: PTH113 (Path's raises for a long name)


def not_a_file(path: Path) -> str | None:
    """Say why a path is not a file that can be read again, also by other processes; None if it is one, or missing.

    Nothing is opened, since opening a pipe blocks.
    """
    place = os.path.abspath(path)  # noqa: PTH100 (resolve follows links)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return f"standard input, {ONCE}" if path.name == "-" else None
    if place.startswith(("/dev/fd/", "/dev/stdin", "/proc/")):
        return f"a stream, {ONCE}"
    kind = special_kind(mode)
    return kind and f"{kind}, {ONCE if stat.S_ISFIFO(mode) else 'where a file is expected'}"


def special_kind(mode: int) -> str | None:
    """Name what a file mode is of, with its article; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
