"""Rules for a `.nemo` archive: a tar, or an older gzip of one, of distinct regular files in one folder.

The archive is read once, from beginning to end. Each file is checked by its header and then copied into a scratch
folder, under a number and not under the name that the archive gives it.
"""

import gzip
import io
import re
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import Any, Protocol

CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"
MODELS = [(CONFIG, WEIGHTS), (f"timestamps_asr_{CONFIG}", f"timestamps_asr_{WEIGHTS}")]
"""The files of a model's configuration and weights; canary's checkpoints contain a second model, for timestamps."""

NO_CHECKPOINT = f"not a NeMo checkpoint (a tar with {CONFIG} and {WEIGHTS})"

MAX_MEMBERS = 1_000  # a multilingual canary has about a hundred
MAX_CONFIG_BYTES = 16 * 2**20
MAX_OTHER_BYTES = 256 * 2**20  # a vocabulary or its model
MAX_WEIGHTS_BYTES = 64 * 2**30
MAX_GZIP_RATIO = 10  # weights gain a tenth
MAX_HEADER_BYTES = 64 * 2**10  # of a header that says more of the next one, such as a long name

NAME = re.compile(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}")
MODEL_LIKE = re.compile(r"(?i).*\.(ckpt|pth?|pkl|pickle|bin|safetensors|np[yz]|nemo|tar|t?gz|zip|ya?ml)")
EXTENSION_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


class RuleViolation(Exception):
    """A checkpoint breaks a rule of the preflight; the message names the place and the value."""


class Stream(Protocol):
    """Bytes that are read in order."""

    def read(self, size: int, /) -> bytes: ...


class Header(tarfile.TarInfo):
    """A header whose extensions are short, as tarfile reads them into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "Header":
        header = super().frombuf(buf, encoding, errors)
        if header.type in EXTENSION_HEADERS and not 0 <= header.size <= MAX_HEADER_BYTES:
            raise RuleViolation(f"a header of {header.size:,} bytes, at most {MAX_HEADER_BYTES:,} are allowed")
        return header


def unpack(source: "io.BufferedReader[Any]", size: int, scratch: Path) -> dict[str, Path]:
    """Check an archive of `size` bytes and return where each of its files lies in the folder `scratch`, by name."""
    plain: Stream = source
    head = source.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
    if not is_tar(head) and head.startswith(b"\x1f\x8b"):  # in this order, as NeMo does it
        plain = Decompressed(source, size * MAX_GZIP_RATIO)
    try:
        paths = unpack_tar(plain, scratch)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise RuleViolation(f"{NO_CHECKPOINT}: {error}") from error
    while plain.read(2**20):  # a gzip is checked to its end
        pass
    check_models(set(paths))
    return paths


def unpack_tar(stream: Stream, scratch: Path) -> dict[str, Path]:
    """Copy each file that passes the rules; its name is without the `./` that NeMo writes."""
    paths: dict[str, Path] = {}
    names = set()
    with tarfile.open(fileobj=stream, mode="r|", bufsize=2**20, tarinfo=Header, encoding="utf-8") as tar:  # type: ignore[call-overload]
        for number, member in enumerate(tar):
            if number >= MAX_MEMBERS:
                raise RuleViolation(f"more than {MAX_MEMBERS:,} files")
            if member.isdir() and member.name in (".", "./", ""):
                continue
            name = check_member(member)
            if name.casefold() in names:  # some file systems ignore case
                raise RuleViolation(f"{member.name!r}: duplicate file")
            names.add(name.casefold())
            paths[name] = scratch / str(number)
            copy_member(tar, member, paths[name])
    return paths


def is_tar(head: bytes) -> bool:
    """Tell whether a file begins with the header of a tar."""
    try:
        Header.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


class Decompressed:
    """The content of a gzip, up to a limit in bytes."""

    def __init__(self, packed: "io.BufferedReader[Any]", limit: int) -> None:
        self.file, self.left = gzip.GzipFile(fileobj=packed), limit

    def read(self, size: int, /) -> bytes:
        try:
            block = self.file.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise RuleViolation(f"damaged gzip: {error}") from error
        self.left -= len(block)
        if self.left < 0:
            raise RuleViolation(f"unpacks to more than {MAX_GZIP_RATIO} times its size")
        return block


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


def copy_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Copy a file of the archive to a path that is free."""
    file = tar.extractfile(member)
    assert file is not None  # it is a regular file
    with path.open("xb") as copy:
        shutil.copyfileobj(file, copy, 2**20)
    if path.stat().st_size != member.size:
        raise RuleViolation(f"{NO_CHECKPOINT}: unexpected end of data")


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
