"""Drafts: files that get the name under which they are found once they are complete.

To create a file or a symbolic link may take as long as to fetch it, so there are neither for locks nor for further
names. Nor does anything wait for the disk: what was cut off by a loss of power is recognised.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

OLDEST_TIME = 10**18  # ns since 1970, in 2001: what is less is a number of bytes


def seal(draft: Path, size: int) -> None:
    """Let the time of a complete file be its size [ns]: after a loss of power, one that lacks bytes does not match it.

    The system writes names and times before content; to wait for the content of each small file takes far longer than
    to fetch it. That is done only where times are too coarse.
    """
    os.utime(draft, ns=(time.time_ns(), size))
    if draft.stat().st_mtime_ns == size:
        return
    os.utime(draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def mark_used_if_whole(path: Path) -> bool:
    """Note that a file is used now; return whether it is there, with all of its bytes."""
    try:
        status = path.stat()
        if status.st_size != status.st_mtime_ns < OLDEST_TIME:
            return False
        os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
    except FileNotFoundError:
        return False
    return True


def point(latest: Path, draft: Path) -> None:
    """Let a name be that of a file too: a hint at its latest version, which may be missing."""
    latest.unlink(missing_ok=True)
    with suppress(OSError):
        os.link(draft, latest)


def name_also(draft: Path, path: Path) -> None:
    """Give a draft another name; it loses its own where files cannot have two."""
    try:
        os.link(draft, path)
    except OSError:
        draft.rename(path)


def has_other_name(path: Path) -> bool:
    """Tell whether there is a file that also has another name."""
    try:
        return path.stat().st_nlink > 1
    except FileNotFoundError:
        return False


def remove_alone(path: Path) -> None:
    """Remove a name if the file has no other one."""
    if not has_other_name(path):
        path.unlink(missing_ok=True)
