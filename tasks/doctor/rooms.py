"""Whether there is room for a run: on disks that it writes to, and in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tasks.doctor.findings import Finding, failed, ok, warning
from tasks.doctor.probe import gibibytes

LEAST = 2**30  # bytes of disk, for what a run writes beside its models
TIMES = 2  # a checkpoint's size: its copy, and its weights while they are examined; in memory, while it is loaded
PROCESS = 2**30  # bytes of memory: a run of the demo's small model took 0.9 GiB, with its server


def private_cache(folder: Path, lacking: int, free: int) -> Iterator[Finding]:
    """Whether so many bytes of models can be copied to the folder, and nobody else can change the copies."""
    from tasks.checkpoints.copies import home
    from tasks.checkpoints.preflight import BadCheckpoint

    name, elsewhere = "private copies", "set WINNOW_CACHE to a folder of yours"
    try:
        writable(home(folder))
    except BadCheckpoint as error:
        found, _, remedy = str(error).partition("; ")
        yield failed(name, found, remedy)
    except OSError as error:
        yield failed(name, f"{folder}: cannot be written to ({error.strerror})", f"make it writable, or {elsewhere}")
    else:
        yield room(name, folder, TIMES * lacking + LEAST, free, f"make room, or {elsewhere} on another disk")


def hub_cache(folder: Path, lacking: int, free: int) -> Iterator[Finding]:
    """Whether so many bytes of models can be fetched."""
    name, elsewhere = "hub's cache", "set HF_HOME to another folder"
    if not lacking:
        yield ok(name, f"{folder}: nothing is to be fetched")
        return
    try:
        writable(folder)
    except OSError as error:
        yield failed(name, f"{folder}: cannot be written to ({error.strerror})", f"make it writable, or {elsewhere}")
    else:
        yield room(name, folder, lacking + LEAST, free, f"make room, or {elsewhere}")


def output(folder: Path, free: int) -> Iterator[Finding]:
    """Whether a run can be in the folder: it is new or empty, or holds a run."""
    name = "output"
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there and not there & {"run.json", "_lock"}:
        yield failed(name, f"{folder}: not a run's folder, and not empty", "choose another output")
        return
    try:
        writable(folder)
    except OSError as error:
        yield failed(name, f"{folder}: cannot be written to ({error.strerror})", "make it writable, or choose another")
    else:
        yield room(name, folder, LEAST, free, "make room, or choose an output on another disk")


def memory(models: int, free: int) -> Iterator[Finding]:
    """Whether models of so many bytes can be loaded into the machine's memory."""
    needed = PROCESS + TIMES * models
    found = f"{gibibytes(free)} free, about {gibibytes(needed)} needed"
    if free < PROCESS:
        yield failed("memory", found, "end what else runs here, or take a machine with more")
    elif free < needed:
        yield warning("memory", found, "end what else runs here, or choose smaller models")
    else:
        yield ok("memory", found)


def room(name: str, folder: Path, needed: int, free: int, remedy: str) -> Finding:
    found = f"{folder}: {gibibytes(free)} free, {gibibytes(needed)} needed"
    return ok(name, found) if free >= needed else failed(name, found, remedy)


def writable(folder: Path) -> None:
    """Raise OSError unless a file can be made where the folder is, or will be; nothing stays."""
    with tempfile.TemporaryFile(dir=existing(folder)):
        pass


def existing(folder: Path) -> Path:
    """The folder, or what there is of the path to it."""
    return next(path for path in (folder, *folder.parents) if path.exists())
