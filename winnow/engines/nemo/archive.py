"""Rules for a `.nemo` archive: a tar, or an older gzip of one, of distinct regular files in one folder.

The archive is checked without extracting anything.
"""

import gzip
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"
MODELS = [(CONFIG, WEIGHTS), (f"timestamps_asr_{CONFIG}", f"timestamps_asr_{WEIGHTS}")]
"""The files of a model's configuration and weights; canary's checkpoints contain a second model, for timestamps."""

NO_CHECKPOINT = f"not a NeMo checkpoint (a tar with {CONFIG} and {WEIGHTS})"

MAX_MEMBERS = 1_000  # a multilingual canary has about a hundred
MAX_CONFIG_BYTES = 16 * 2**20
MAX_OTHER_BYTES = 256 * 2**20  # a vocabulary or its model
MAX_WEIGHTS_BYTES = 64 * 2**30
MAX_GZIP_RATIO = 10  # weights gain a tenth

NAME = re.compile(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")
MODEL_LIKE = re.compile(r"(?i).*\.(ckpt|pth?|pkl|pickle|bin|safetensors|np[yz]|nemo|tar|t?gz|zip|ya?ml)")


class RuleViolation(Exception):
    """A checkpoint breaks a rule of the preflight; the message names the place and the value."""


@contextmanager
def open_archive(path: Path, scratch: Path) -> Iterator[tarfile.TarFile]:
    """Open the archive; a gzip is unpacked in the folder `scratch` meanwhile, to at most ten times its size."""
    with path.open("rb") as file, tempfile.TemporaryFile(dir=scratch) as buffer:
        plain = decompress(file, buffer, path.stat().st_size * MAX_GZIP_RATIO) if is_gzip(file) else file
        try:
            archive = tarfile.open(fileobj=plain, mode="r:")  # noqa: SIM115
        except tarfile.TarError as error:
            raise RuleViolation(f"{NO_CHECKPOINT}: {error}") from error
        with archive:
            yield archive


def is_gzip(file: IO[bytes]) -> bool:
    magic = file.read(2)
    file.seek(0)
    return magic == b"\x1f\x8b"


def decompress(file: IO[bytes], buffer: IO[bytes], limit: int) -> IO[bytes]:
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            while block := packed.read(2**20):
                buffer.write(block)
                if buffer.tell() > limit:
                    raise RuleViolation(f"unpacks to more than {MAX_GZIP_RATIO} times its size")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RuleViolation(f"damaged gzip: {error}") from error
    buffer.seek(0)
    return buffer


def list_members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """Return the files by name, without the `./` that NeMo writes."""
    members: dict[str, tarfile.TarInfo] = {}
    names = set()
    try:
        for count, member in enumerate(archive):
            if count >= MAX_MEMBERS:
                raise RuleViolation(f"more than {MAX_MEMBERS:,} files")
            if member.isdir() and member.name in (".", "./", ""):
                continue
            name = check_member(member)
            if name.casefold() in names:  # some file systems ignore case
                raise RuleViolation(f"{member.name!r}: duplicate file")
            names.add(name.casefold())
            members[name] = member
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise RuleViolation(f"{NO_CHECKPOINT}: {error}") from error
    check_models(set(members))
    return members


def check_member(member: tarfile.TarInfo) -> str:
    """Return the name of a regular file, of an allowed size, in the archive's own folder; refuse anything else."""
    name = re.sub(r"^(\./)+", "", member.name)
    if member.issym() or member.islnk():
        raise RuleViolation(f"{member.name!r}: a link to {member.linkname!r}, not a file")
    if member.sparse is not None or member.type == tarfile.GNUTYPE_SPARSE:
        raise RuleViolation(f"{member.name!r}: a sparse file")
    if not member.isreg():
        raise RuleViolation(f"{member.name!r}: a {'folder' if member.isdir() else 'device'}, not a file")
    if name == ".." or not NAME.fullmatch(name):
        raise RuleViolation(f"{member.name!r}: not a file name in the archive's own folder")
    limit = (
        MAX_WEIGHTS_BYTES if name.endswith(".ckpt") else MAX_CONFIG_BYTES if name.endswith(".yaml") else MAX_OTHER_BYTES
    )
    if not 0 <= member.size <= limit:
        raise RuleViolation(f"{member.name!r}: {member.size:,} bytes, at most {limit:,} are allowed")
    return name


def check_models(names: set[str]) -> None:
    """Refuse anything but one configuration with its weights, and optionally those of a model for timestamps."""
    first, second = map(set, MODELS)
    if missing := first - names:
        raise RuleViolation(f"{NO_CHECKPOINT}: {min(missing)} is missing")
    if len(names & second) == 1:
        raise RuleViolation(f"incomplete model for timestamps: only {min(names & second)}")
    for name in sorted(names - second - first):
        if MODEL_LIKE.fullmatch(name):
            raise RuleViolation(f"{name!r}: more than one configuration and one file of weights ({CONFIG}, {WEIGHTS})")


def open_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """Open a file of the archive without extracting it."""
    file = archive.extractfile(member)
    assert file is not None  # it is a regular file
    return file


@contextmanager
def extract_member(archive: tarfile.TarFile, member: tarfile.TarInfo, scratch: Path) -> Iterator[Path]:
    """Extract a file of the archive into the folder `scratch` for the time of the block."""
    with tempfile.NamedTemporaryFile(dir=scratch) as copy, open_member(archive, member) as file:
        shutil.copyfileobj(file, copy, 2**20)
        copy.flush()
        yield Path(copy.name)
