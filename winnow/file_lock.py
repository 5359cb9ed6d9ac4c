"""Locks on files whose names exist only while somebody holds them; the system releases those of a process that dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[Path]:
    """Hold a lock on a file that excludes other threads and processes, and remove its name at the end; yield the path.

    It is created unless it is there; a lock on a file that lost its name meanwhile is none, and is taken again. Raises
    BlockingIOError if it would have to wait but must not.
    """
    descriptor = None
    while descriptor is None:
        descriptor = take_lock(path, wait)
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                path.unlink()
        os.close(descriptor)


def take_lock(path: Path, wait: bool) -> int | None:
    """Return the locked file at a path; None if it lost its name before it was locked."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
