"""Open audio safely, and keep the errors of the disk that libsndfile would hide."""

import errno
import io
import os
import re
import stat
from pathlib import Path

from winnow.audio.measurements import BadAudio
from winnow.input_files import special_kind

TRANSIENT_ERRORS = {
    getattr(errno, name)
    for name in """EIO ESTALE ETIMEDOUT EAGAIN EINTR EBUSY EMFILE ENFILE ENOMEM ENOLCK ENOTCONN ECONNRESET ECONNABORTED
    ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH EREMOTEIO""".split()
    if hasattr(errno, name)
}
SEARCH_BLOCK = 2**17  # bytes


class TrackedFile(io.FileIO):
    """A file that keeps its last error, which libsndfile would take for the end of the audio."""

    error: OSError | None = None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            return super().readinto(buffer) or 0
        except OSError as error:
            self.error = error
            return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except OSError as error:
            self.error = error
            return 0


class FileView(io.RawIOBase):
    """A part of an open file, from a byte up to another."""

    def __init__(self, file: TrackedFile, start: int = 0, end: int | None = None) -> None:
        self.file, self.start, self.at = file, start, 0
        self.size = (os.fstat(file.fileno()).st_size if end is None else end) - start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self.file.seek(self.start + self.at)
        count = self.file.readinto(memoryview(buffer)[: max(0, self.size - self.at)])
        self.at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence])
        return self.at


def find_bytes(file: TrackedFile, pattern: re.Pattern[bytes], start: int, longest: int = 256) -> int | None:
    """Return the first byte from `start` on at which a pattern of at most `longest` bytes matches."""
    tail = b""
    while block := os.pread(file.fileno(), SEARCH_BLOCK, start):
        if found := pattern.search(tail + block):
            return start - len(tail) + found.start()
        tail, start = (tail + block)[-longest:], start + len(block)
    return None


def open_audio(path: str, root: str | Path | None) -> TrackedFile:
    """Open the audio at a row's `path`, which today is a regular file: the one place that knows where audio lies.

    Raises BadAudio for anything else, and for a file outside `root` once links are followed. A file is examined before
    it is opened, since opening a device may have an effect and opening a pipe blocks.
    """
    if root is not None:
        path = os.path.realpath(path)
        if not Path(path).is_relative_to(os.path.realpath(root)):
            raise BadAudio("PATH_OUTSIDE_ROOT", "leads out of the audio root")
    check_regular(Path(path).stat().st_mode)
    file = TrackedFile(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    try:
        check_regular(os.fstat(file.fileno()).st_mode)  # it may have been replaced since
    except BadAudio:
        file.close()
        raise
    return file


def check_regular(mode: int) -> None:
    """Raise BadAudio unless the mode is that of a regular file."""
    if kind := special_kind(mode):
        raise BadAudio("AUDIO_UNREADABLE" if stat.S_ISDIR(mode) else "PATH_OUTSIDE_ROOT", kind)
