"""Compressed tars, which have no ranges of bytes: an uncompressed copy is kept in the cache of audio."""

import re
from pathlib import Path

import pyarrow as pa

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.measurements import BadAudio
from winnow.audio.safe_open import AudioFile, FileView

COMPRESSIONS = {"gz": "gzip", "tgz": "gzip", "zst": "zstd", "bz2": "bz2"}
"""How the names of compressed tars end, and how Arrow calls what they are compressed with."""

TAR_NAME = re.compile(r"\.(?:tar|tar\.(gz|zst|bz2)|(tgz))$", re.IGNORECASE)
BLOCK = 2**20  # bytes


def is_tar(path: str) -> bool:
    """Tell by the name of a file whether it is a tar, compressed or not."""
    return TAR_NAME.search(path) is not None


def compression_of(path: str) -> str | None:
    """Return what a tar is compressed with, by its name; None if it is not."""
    name = TAR_NAME.search(path)
    return COMPRESSIONS[name[name.lastindex].lower()] if name and name.lastindex else None


def open_uncompressed(file: AudioFile, compression: str) -> AudioFile:
    """Open the copy of a compressed tar, and close the tar itself.

    Raises BadAudio if it cannot be decompressed, and OptionError if the copy does not fit into the cache.
    """

    def decompress(copy: Path) -> None:
        written = 0
        with copy.open("wb") as sink, pa.CompressedInputStream(pa.PythonFile(FileView(file), "r"), compression) as tar:
            while block := read_block(tar, file):
                written += len(block)
                AUDIO_CACHE.check_fits(written)
                sink.write(block)

    with file:
        return AUDIO_CACHE.open(f"tar:{file.name}:{file.identity}", decompress)


def read_block(tar: pa.CompressedInputStream, file: AudioFile) -> bytes:
    try:
        block: bytes = tar.read(BLOCK)
    except OSError as error:
        raise file.error or BadAudio("AUDIO_UNREADABLE", f"the tar cannot be decompressed: {error}") from error
    if file.error:
        raise file.error
    return block
