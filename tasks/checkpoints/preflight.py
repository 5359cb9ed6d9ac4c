"""The pre-flight of a `.nemo`: what a checkpoint must be before NeMo opens it, since opening one can run what it says.

In order: torch and NeMo as they must be, the archive (archive.py), the configuration of every model in it
(blueprint.py) and the weights (weights.py). The first rule that is broken is what the refusal names.
"""

import hashlib
import os
import tarfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tasks.checkpoints import archive, blueprint, weights
from tasks.checkpoints.archive import MODELS, Refusal, beside, extracted, members_of, opened
from tasks.runs.storage import FULL, DiskFull, put

OLDEST = {"torch": (2, 10), "nemo_toolkit": (3, 0)}
"""Releases before these load or extract more than they should."""


class BadCheckpoint(Exception):
    """A model that cannot be had, is no NeMo checkpoint or breaks a rule of the pre-flight."""

    exit_code = 7


def examine(path: Path, name: str) -> str:
    """The class of the model in the file, if it keeps every rule.

    That takes a while for a large one, so a note beside the file says that it did; it counts for the same rules, torch
    and NeMo.
    """
    versions = {package: version(package) for package in OLDEST}
    check_environment(os.environ, versions)
    note = path.with_suffix(f".passed-{rules(versions)}")
    if note.is_file():
        return note.read_text()
    try:
        target = check(path)
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(
                f"{path.parent}: {error.strerror}: make room, or set WINNOW_CACHE to another disk"
            ) from error
        raise BadCheckpoint(f"{name}: cannot be examined in {path.parent} ({error}): see WINNOW_CACHE") from error
    except Refusal as refusal:
        raise BadCheckpoint(
            f"{name}: refused before anything in it was opened: {refusal}; "
            "get it again from its publisher, or save it again with NeMo's save_to()"
        ) from refusal
    put(note, target.encode())
    return target


def check_environment(environment: Mapping[str, str], versions: Mapping[str, str]) -> None:
    variable = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    if value := environment.get(variable):
        raise BadCheckpoint(f"{variable}={value} lets weights run code when they are loaded: unset it")
    for package, oldest in OLDEST.items():
        if tuple(int(part) for part in versions[package].split(".")[:2]) < oldest:
            least = ".".join(map(str, oldest))
            raise BadCheckpoint(f"{package} {versions[package]} opens checkpoints unsafely: install {least} or newer")


def rules(versions: Mapping[str, str]) -> str:
    """A digest of the rules, so that whatever passed older ones is examined again."""
    sources = [Path(str(module.__file__)).read_bytes() for module in (archive, blueprint, weights)]
    return hashlib.sha256(b"".join([*sources, Path(__file__).read_bytes(), repr(versions).encode()])).hexdigest()[:16]


def check(path: Path) -> str:
    """The class of the first model in the file; everything is checked without extracting anything but weights."""
    with opened(path, path.parent) as tar:
        members = members_of(tar)
        models = [names for names in MODELS if names[0] in members]
        targets = [configured(tar, members, names[0]) for names in models]
        for _, name in models:
            check_weights(tar, members[name], path.parent)
    return targets[0]


def configured(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> str:
    """The class that a configuration is of."""
    try:
        config = blueprint.read(extracted(tar, members[name]))
        blueprint.check(config, set(members))
    except Refusal as refusal:
        raise Refusal(f"{name}: {refusal}") from refusal
    return str(config["target"])


def check_weights(tar: tarfile.TarFile, member: tarfile.TarInfo, scratch: Path) -> None:
    try:
        weights.check_zip(extracted(tar, member))
        with beside(tar, member, scratch) as path:
            weights.check_tensors(path)
    except Refusal as refusal:
        raise Refusal(f"{Path(member.name).name}: {refusal}") from refusal
