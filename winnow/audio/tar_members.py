"""Audio in tar archives: which members there are, and each as a range of the archive's bytes.

Nothing is unpacked, so the name of a member leads nowhere. Python's tarfile decodes the headers; alone, it ends
silently at one that is damaged, and reads a header of any size into memory.
"""

import io
import logging
import tarfile
import zlib
from collections.abc import Iterator

from winnow.audio.compressed_tars import compression_of, open_uncompressed
from winnow.audio.measurements import BadAudio
from winnow.audio.places import DAMAGE, Place
from winnow.audio.remote.stand_ins import open_content
from winnow.audio.safe_open import AudioFile, FileView

log = logging.getLogger("winnow")

HEADER = tarfile.BLOCKSIZE  # bytes before a member's own
MAX_HEADERS = 2**18  # bytes of headers of one member, with its extended ones


class DamagedTar(Exception):
    """A tar that cannot be read from byte `start` on; not a tar at all if `is_tar` is false."""

    def __init__(self, start: int, detail: str, is_tar: bool) -> None:
        super().__init__(start, detail, is_tar)
        self.start, self.detail, self.is_tar = start, detail, is_tar

    def __str__(self) -> str:
        return f"the tar is damaged or cut off at byte {self.start}: {self.detail}"


class Headers:
    """The file that tarfile reads headers from: `left` bytes until the next member."""

    def __init__(self, file: AudioFile) -> None:
        self.file, self.left = io.BufferedReader(FileView(file)), MAX_HEADERS
        self.seek, self.tell = self.file.seek, self.file.tell

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"headers of more than {MAX_HEADERS} bytes")
        return self.file.read(size)


def tar_members(path: str) -> Iterator[Place]:
    """Yield the place of each regular file in a tar, in order; of one that is not compressed only headers are read.

    Raises DamagedTar after the last member that is intact, BadAudio if the tar is not a regular file or cannot be
    decompressed, and OSError.
    """
    with open_local_tar(path) as file:
        yield from members_of(file, path)


def members_of(file: AudioFile, path: str) -> Iterator[Place]:
    """Yield the place of each regular file in an open tar, as `tar_members` does."""
    headers, end, is_tar = Headers(file), 0, False
    try:
        tar = tarfile.open(fileobj=headers, mode="r:", errors="surrogateescape")  # type: ignore[call-overload]  # noqa: SIM115
        while member := tar.next():
            if tar.offset <= end or member.size < 0:
                raise tarfile.ReadError("members that overlap")
            is_tar = True
            place = member_place(file, path, member) if member.isreg() and not member.issparse() else None
            tar.members, end, headers.left = [], tar.offset, MAX_HEADERS  # they would fill the memory
            if place:
                yield place
        check_end(file, tar.offset, path)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise file.error or DamagedTar(end, str(error), is_tar) from error


def member_place(file: AudioFile, path: str, member: tarfile.TarInfo) -> Place:
    """Return the place of a member. Raises tarfile.ReadError if the tar ends before it does."""
    start, size = member.offset_data, member.size
    if start + size > file.size:
        raise tarfile.ReadError(f"{size} bytes of a member are stated, {max(0, file.size - start)} are there")
    facts = {"start": start, "size": size, "header": zlib.crc32(file.read_at(HEADER, start - HEADER))}
    return Place(path, "tar", member.name, {name: str(value) for name, value in facts.items()})


def check_end(file: AudioFile, end: int, path: str) -> None:
    """Warn if there is no mark at the end of a tar; raise tarfile.ReadError if something else is there."""
    mark = file.read_at(HEADER, end)
    if any(mark):
        raise tarfile.ReadError("not a header")
    if not mark:
        log.warning("%s: has no end mark, so its last members may have been cut off", path)
    elif any(file.read_at(20 * HEADER, end)):
        log.warning("%s: something follows after its end, such as another tar, and is not read", path)


def open_local_tar(path: str) -> AudioFile:
    """Open a tar, compressed or not, or the one of a stand-in. Raises BadAudio as `tar_members` does, and OSError."""
    return open_tar(open_content(path), path)


def open_tar(file: AudioFile, path: str) -> AudioFile:
    """Return the file, or the copy of it that is not compressed if its name says that it is."""
    compression = compression_of(path)
    return open_uncompressed(file, compression) if compression else file


def open_tar_member(file: AudioFile, place: Place) -> AudioFile:
    """Narrow an open tar to a member. Raises BadAudio if its header is another than when the tar was listed."""
    if place.absent:
        at = place.facts.get(DAMAGE)
        raise BadAudio("AUDIO_MISSING", f"the tar cannot be read from byte {at} on" if at else "not in the tar")
    start = place.number("start")
    file = open_tar(file, place.container)
    try:
        if start < HEADER or zlib.crc32(file.read_at(HEADER, start - HEADER)) != place.number("header"):
            raise BadAudio("AUDIO_CHANGED", "the tar was changed after its members were listed")
        return file.narrow(start, place.number("size"), place.name)
    except BaseException:
        file.close()
        raise
