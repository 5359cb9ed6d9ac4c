"""Audio in tar archives: which members there are, and each as a range of the archive's bytes.

Nothing is unpacked, so the name of a member leads nowhere.
"""

import os
import tarfile
import zlib
from collections.abc import Iterator

from winnow.audio.measurements import BadAudio
from winnow.audio.places import Place
from winnow.audio.safe_open import AudioFile

HEADER = tarfile.BLOCKSIZE  # bytes before a member's own


def tar_members(path: str) -> Iterator[Place]:
    """Yield the place of each regular file in a tar that is not compressed, in order; only headers are read.

    Raises tarfile.TarError or OSError.
    """
    with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:", errors="surrogateescape") as tar:  # noqa: PTH123
        while member := tar.next():
            tar.members = []  # type: ignore[attr-defined]  # they would fill the memory
            if member.isreg() and not member.issparse():
                header = os.pread(file.fileno(), HEADER, member.offset_data - HEADER)
                facts = {"start": member.offset_data, "size": member.size, "header": zlib.crc32(header)}
                yield Place(path, "tar", member.name, {name: str(value) for name, value in facts.items()})


def open_tar_member(file: AudioFile, place: Place) -> AudioFile:
    """Narrow an open tar to a member. Raises BadAudio if its header is another than when the tar was listed."""
    start = place.number("start")
    if start < HEADER or zlib.crc32(file.read_at(HEADER, start - HEADER)) != place.number("header"):
        raise BadAudio("AUDIO_CHANGED", "the tar was changed after its members were listed")
    return file.narrow(start, place.number("size"), place.name)
