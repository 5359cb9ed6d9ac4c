"""The archive that NeMo opens: a plain tar, written anew from what passed the preflight.

Two parsers may read one file differently. NeMo's parsers never see the original, and all parsers agree on this archive.
"""

import io
import shutil
import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

Write = Callable[[IO[bytes]], Any]
"""Writes the content of a file of the archive."""


def write_archive(
    file: IO[bytes], configs: Mapping[str, bytes], others: Mapping[str, Path], tensors: Mapping[str, Any]
) -> None:
    """Write configurations, other files as they are, and tensors, each by name, to reproducible bytes."""
    import torch

    contents: dict[str, Write] = {}
    for name, config in configs.items():
        contents[name] = partial(shutil.copyfileobj, io.BytesIO(config))
    for name, path in sorted(others.items()):
        contents[name] = partial(copy_file, path)
    for name, state in tensors.items():
        contents[name] = partial(torch.save, state)
    for name, write in contents.items():
        add_member(file, name, write)
    file.write(bytes(2 * tarfile.BLOCKSIZE))


def copy_file(path: Path, file: IO[bytes]) -> None:
    with path.open("rb") as content:
        shutil.copyfileobj(content, file, 2**20)


def add_member(file: IO[bytes], name: str, write: Write) -> None:
    """Write a file's content behind its header, whose size is known afterwards."""
    member = tarfile.TarInfo(name)
    start = file.tell()
    file.write(header(member))
    content = file.tell()
    write(file)
    member.size = file.tell() - content
    end = file.write(bytes(-member.size % tarfile.BLOCKSIZE)) + content + member.size
    file.seek(start)
    file.write(header(member))
    file.seek(end)


def header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8")
