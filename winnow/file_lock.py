"""Locks on files that exist only as long as somebody holds them; the system releases those of a process that dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold a lock that excludes other threads and processes; raises BlockingIOError if it would have to wait.

    The file of the lock is removed at the end; a lock on a removed file is none, and is taken again.
    """
    descriptor = None
    while descriptor is None:
        descriptor = take_lock(path, wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def take_lock(path: Path, wait: bool) -> int | None:
    """Return the locked file at a path; None if it was removed before it was locked."""
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
