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

from winnow.engines.nemo import archive, config_check, weights
from winnow.engines.nemo.archive import MODELS, RuleViolation, extract_member, list_members, open_archive, open_member
from winnow.errors import CheckpointError, DiskFull
from winnow.runs.storage import DISK_FULL_ERRORS, put

MIN_VERSIONS = {"torch": (2, 10), "nemo_toolkit": (3, 0)}
"""Releases before these load or extract more than they should."""


def run_preflight(path: Path, name: str) -> str:
    """The class of the model in the file, if it keeps every rule.

    That takes a while for a large one, so a note beside the file says that it did; it counts for the same rules, torch
    and NeMo.
    """
    versions = {package: version(package) for package in MIN_VERSIONS}
    check_environment(os.environ, versions)
    note = path.with_suffix(f".passed-{rules_digest(versions)}")
    if note.is_file():
        return note.read_text()
    try:
        target = check_archive(path)
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull(
                f"{path.parent}: {error.strerror}: make room, or set WINNOW_CACHE to another disk"
            ) from error
        raise CheckpointError(f"{name}: cannot be examined in {path.parent} ({error}): see WINNOW_CACHE") from error
    except RuleViolation as refusal:
        raise CheckpointError(
            f"{name}: refused before anything in it was opened: {refusal}; "
            "get it again from its publisher, or save it again with NeMo's save_to()"
        ) from refusal
    put(note, target.encode())
    return target


def check_environment(environment: Mapping[str, str], versions: Mapping[str, str]) -> None:
    variable = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    if value := environment.get(variable):
        raise CheckpointError(f"{variable}={value} lets weights run code when they are loaded: unset it")
    for package, oldest in MIN_VERSIONS.items():
        if tuple(int(part) for part in versions[package].split(".")[:2]) < oldest:
            least = ".".join(map(str, oldest))
            raise CheckpointError(f"{package} {versions[package]} opens checkpoints unsafely: install {least} or newer")


def rules_digest(versions: Mapping[str, str]) -> str:
    """A digest of the rules, so that whatever passed older ones is examined again."""
    sources = [Path(str(module.__file__)).read_bytes() for module in (archive, config_check, weights)]
    return hashlib.sha256(b"".join([*sources, Path(__file__).read_bytes(), repr(versions).encode()])).hexdigest()[:16]


def check_archive(path: Path) -> str:
    """The class of the first model in the file; everything is checked without extracting anything but weights."""
    with open_archive(path, path.parent) as tar:
        members = list_members(tar)
        models = [names for names in MODELS if names[0] in members]
        targets = [check_model_config(tar, members, names[0]) for names in models]
        for _, name in models:
            check_weights(tar, members[name], path.parent)
    return targets[0]


def check_model_config(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> str:
    """The class that a configuration is of."""
    try:
        config = config_check.read_config(open_member(tar, members[name]))
        config_check.check_config(config, set(members))
    except RuleViolation as refusal:
        raise RuleViolation(f"{name}: {refusal}") from refusal
    return str(config["target"])


def check_weights(tar: tarfile.TarFile, member: tarfile.TarInfo, scratch: Path) -> None:
    try:
        weights.check_zip(open_member(tar, member))
        with extract_member(tar, member, scratch) as path:
            weights.check_tensors(path)
    except RuleViolation as refusal:
        raise RuleViolation(f"{Path(member.name).name}: {refusal}") from refusal
