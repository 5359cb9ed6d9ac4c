"""The preflight of a `.nemo` file, before NeMo opens it: opening a checkpoint can run code that it contains.

It checks the versions of torch and NeMo, the archive (archive.py), the configuration of every model in it
(config_check.py) and the weights (weights.py), in this order, and reports the first rule that is broken.
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
"""Earlier releases load or extract more than they should."""


def run_preflight(path: Path, name: str) -> str:
    """Return the class of the model in a private copy; raises CheckpointError if it breaks a rule.

    As this takes a while for a large file, a note beside it records success under these rules, torch and NeMo.
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
                f"{path.parent}: {error.strerror}: free some space, or set WINNOW_CACHE to another disk"
            ) from error
        raise CheckpointError(f"{name}: preflight failed in {path.parent} ({error}): check WINNOW_CACHE") from error
    except RuleViolation as refusal:
        raise CheckpointError(
            f"{name}: failed its preflight: {refusal}; "
            "download it again from its publisher, or save it again with NeMo's save_to()"
        ) from refusal
    put(note, target.encode())
    return target


def check_environment(environment: Mapping[str, str], versions: Mapping[str, str]) -> None:
    variable = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    if value := environment.get(variable):
        raise CheckpointError(f"{variable}={value} lets weights run code when they are loaded: unset it")
    for package, minimum in MIN_VERSIONS.items():
        if tuple(int(part) for part in versions[package].split(".")[:2]) < minimum:
            required = ".".join(map(str, minimum))
            raise CheckpointError(
                f"{package} {versions[package]} opens checkpoints unsafely: install {required} or later"
            )


def rules_digest(versions: Mapping[str, str]) -> str:
    """Return a digest of the rules, so that files which passed other rules are checked again."""
    sources = [Path(str(module.__file__)).read_bytes() for module in (archive, config_check, weights)]
    return hashlib.sha256(b"".join([*sources, Path(__file__).read_bytes(), repr(versions).encode()])).hexdigest()[:16]


def check_archive(path: Path) -> str:
    """Check the file, of which only weights are extracted, and return the class of its first model."""
    with open_archive(path, path.parent) as tar:
        members = list_members(tar)
        models = [names for names in MODELS if names[0] in members]
        targets = [check_model_config(tar, members, names[0]) for names in models]
        for _, name in models:
            check_weights(tar, members[name], path.parent)
    return targets[0]


def check_model_config(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> str:
    """Check a configuration and return its class."""
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
