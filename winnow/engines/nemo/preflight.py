"""The preflight of a `.nemo` file, before NeMo opens it: opening a checkpoint can run code that it contains.

It checks the versions of torch and NeMo, the archive (archive.py), the configuration of every model in it
(config_yaml.py, config_check.py) and the weights (weights.py), in this order, and reports the first rule that is
broken. NeMo never opens the file itself: it opens an archive that is written anew from what passed (rewrite.py).
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from winnow.engines.checkpoint_cache import (
    cache_folder,
    copy_path,
    open_verified,
    publish_copy,
    read_note,
    scratch_folder,
)
from winnow.engines.nemo import archive, config_check, config_yaml, families, rewrite, weights
from winnow.engines.nemo.archive import MODELS, RuleViolation
from winnow.errors import DISK_FULL_ERRORS, CheckpointError, DiskFull

MIN_VERSIONS = {"torch": (2, 10), "nemo_toolkit": (3, 0)}
"""Earlier releases load or extract more than they should."""


class PrivateCopy(NamedTuple):
    """The archive that NeMo opens, and the family of the model in it."""

    path: Path
    family: str


def run_preflight(path: Path, name: str, sha256: str) -> PrivateCopy:
    """Return the private copy of a file; raises CheckpointError if the file breaks a rule or has another sha256.

    As this takes a while for a large file, the copy is made once under these rules, torch and NeMo.
    """
    try:
        if copy := find_copy(sha256):
            return copy
        with scratch_folder() as scratch:
            return find_copy(sha256) or make_copy(path, name, sha256, scratch)
    except OSError as error:
        room = f"set WINNOW_CACHE to a folder of yours with {2 * path.stat().st_size / 2**30:.1f} GiB free"
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull(f"{cache_folder()}: {error.strerror}: free some space, or {room}") from error
        raise CheckpointError(f"{name}: cannot be copied into the private cache ({error}); {room}") from error
    except RuleViolation as refusal:
        raise CheckpointError(
            f"{name}: failed its preflight: {refusal}; "
            "download it again from its publisher, or save it again with NeMo's save_to()"
        ) from refusal


def find_copy(sha256: str) -> PrivateCopy | None:
    """Return the intact private copy of the file with this sha256, if there is one."""
    path = copy_path(sha256)
    note = read_note(path, rules_digest())
    return PrivateCopy(path, note.family) if note else None


def make_copy(path: Path, name: str, sha256: str, scratch: Path) -> PrivateCopy:
    """Check the file and write the private copy, by way of the folder `scratch`."""
    with open_verified(path, name, sha256) as source:
        members = archive.unpack(source, path.stat().st_size, scratch)
    models = [files for files in MODELS if files[0] in members]
    configs = {config: examine_config(config, members) for config, _ in models}
    family = families.family_of(configs[archive.CONFIG][0], name)
    tensors = {file: examine_weights(file, members) for _, file in models}
    others = {other: members[other] for other in members.keys() - configs.keys() - tensors.keys()}
    draft, copy = scratch / "draft.nemo", copy_path(sha256)
    with draft.open("xb") as file:
        rewrite.write_archive(file, {config: content for config, (_, content) in configs.items()}, others, tensors)
    publish_copy(draft, copy, rules_digest(), family)
    return PrivateCopy(copy, family)


def examine_config(name: str, members: Mapping[str, Path]) -> tuple[str, bytes]:
    """Return the class of the model in a configuration that passes the rules, and the configuration written anew."""
    with naming(name):
        config = config_yaml.read_config(members[name].read_bytes())
        config_check.check_config(config, set(members))
        return str(config["target"]), config_yaml.write_config(config)


def examine_weights(name: str, members: Mapping[str, Path]) -> dict[str, Any]:
    """Return the tensors of weights that pass the rules."""
    with naming(name):
        return weights.load_weights(members[name])


@contextmanager
def naming(member: str) -> Iterator[None]:
    """Put the name of the archive's file before the rule that it breaks."""
    try:
        yield
    except RuleViolation as refusal:
        raise RuleViolation(f"{member}: {refusal}") from refusal


def rules_digest() -> str:
    """Return a digest of the rules, so that files which passed other rules are checked again."""
    versions = {package: version(package) for package in MIN_VERSIONS}
    check_environment(os.environ, versions)
    modules = (archive, config_check, config_yaml, families, rewrite, weights)
    sources = [Path(str(module.__file__)).read_bytes() for module in modules]
    return hashlib.sha256(b"".join([*sources, Path(__file__).read_bytes(), repr(versions).encode()])).hexdigest()[:16]


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
