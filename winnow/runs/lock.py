"""The lock on a run's folder: one process at a time works on it."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from winnow.errors import OutputError, OutputInUse
from winnow.runs.json_object import decode_object, encode_object
from winnow.runs.storage import is_local, raise_if_disk_full

Owner = dict[str, Any]
"""Who works on an output: `host`, `pid` and, in a flow run, its `name`, its id (`flow_run`) and its server (`api`)."""


@contextmanager
def lock_folder(folder: Path, owner: Owner) -> Iterator[Owner]:
    """Hold the lock on a local folder until the block ends, or raise OutputInUse.

    The system releases the lock of a process that dies. Yield the owner that such a process left behind, {} if there is
    none. An object store, and a disk that has no locks, are not locked: there, the ledger alone decides what counts.
    """
    if not is_local(folder):
        yield {}
        return
    with open_lock(folder / "_lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = describe_owner(read_owner(file))
            message = f"{folder} is in use by {holder}: wait for it to end, or choose another output"
            raise OutputInUse(message) from error
        except OSError:  # no locks here, as on some network disks
            yield {}
            return
        dead = read_owner(file)
        with raise_if_disk_full(folder):
            file.truncate(0)
            file.write(encode_object({"host": socket.gethostname(), "pid": os.getpid()} | owner))
            file.flush()
        yield dead
        file.truncate(0)


def open_lock(path: Path) -> BinaryIO:
    """Open the file of a lock, which is emptied later and so must not be a link; raises OutputError."""
    try:
        return open(path, "a+b", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o666))
    except OSError as error:
        raise OutputError(f"{path}: cannot be opened for writing: {error.strerror or error}") from error


def read_owner(file: BinaryIO) -> Owner:
    """Read who holds the lock, or died with it; {} if the file does not say."""
    file.seek(0)
    try:
        return decode_object(file.read())
    except ValueError:
        return {}


def describe_owner(owner: Owner) -> str:
    return f"{owner.get('name') or 'another run'} (process {owner.get('pid')} on {owner.get('host')})"
