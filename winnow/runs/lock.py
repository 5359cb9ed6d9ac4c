"""The lock on a run's folder: one process at a time works on it."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from winnow.errors import OutputInUse
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
    with (folder / "_lock").open("a+") as file:
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
            file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()} | owner))
            file.flush()
        yield dead
        file.truncate(0)


def read_owner(file: IO[str]) -> Owner:
    """Read who holds the lock, or died with it; {} if the file does not say."""
    file.seek(0)
    with suppress(ValueError):
        owner = json.loads(file.read())
        return owner if isinstance(owner, dict) else {}
    return {}


def describe_owner(owner: Owner) -> str:
    return f"{owner.get('name') or 'another run'} (process {owner.get('pid')} on {owner.get('host')})"
