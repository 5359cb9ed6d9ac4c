"""Open files safely, and keep the errors of the disk that libsndfile would hide."""

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


class AudioFile:
    """The bytes of an open local file, or a range of them.

    `name` is what it is called and `identity` tells the file from another. `error` is the last error of the disk in a
    read by a decoder, which would take it for the end of the audio.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        status = os.fstat(descriptor)
        self.descriptor, self.name = descriptor, name
        self.whole, self.start, self.size = True, 0, status.st_size
        self.identity = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"  # times in ns
        self.error: OSError | None = None

    def narrow(self, start: int, size: int, name: str) -> "AudioFile":
        """Leave only `size` bytes from `start` on. Raises BadAudio if there are fewer."""
        if start + size > self.size:
            raise BadAudio("AUDIO_UNREADABLE", f"ends at byte {self.size} of its file, {start + size} are stated")
        self.identity = f"{self.identity}-{start}"
        self.whole, self.start, self.size, self.name = False, self.start + start, size, name
        return self

    def read_at(self, length: int, start: int) -> bytes:
        """Return up to `length` bytes from `start` on; raises OSError."""
        if not self.whole:
            length = max(0, min(length, self.size - start))
        return os.pread(self.descriptor, length, self.start + start)

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> "AudioFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FileView(io.RawIOBase):
    """What a decoder reads of open audio: from a byte up to another, or to its end."""

    def __init__(self, file: AudioFile, start: int = 0, end: int | None = None) -> None:
        self.file, self.start, self.at = file, start, 0
        self.size = (file.size if end is None else end) - start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = memoryview(buffer)[: max(0, self.size - self.at)]
        try:
            count = os.preadv(self.file.descriptor, [part], self.file.start + self.start + self.at)
        except OSError as error:
            self.file.error = error
            return 0
        self.at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence])
        return self.at


def find_bytes(file: AudioFile, pattern: re.Pattern[bytes], start: int, longest: int = 256) -> int | None:
    """Return the first byte from `start` on at which a pattern of at most `longest` bytes matches."""
    tail = b""
    while block := file.read_at(SEARCH_BLOCK, start):
        if found := pattern.search(tail + block):
            return start - len(tail) + found.start()
        tail, start = (tail + block)[-longest:], start + len(block)
    return None


def open_file(path: str, root: str | Path | None) -> AudioFile:
    """Open a regular file.

    Raises BadAudio for anything else, and for a file outside `root` once links are followed. A file is examined before
    it is opened, since opening a device may have an effect and opening a pipe blocks.
    """
    if root is not None:
        path = os.path.realpath(path)
        if not Path(path).is_relative_to(os.path.realpath(root)):
            raise BadAudio("PATH_OUTSIDE_ROOT", "leads out of the audio root")
    check_regular(Path(path).stat().st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(descriptor).st_mode)  # it may have been replaced since
    except BadAudio:
        os.close(descriptor)
        raise
    return AudioFile(descriptor, path)


def check_regular(mode: int) -> None:
    """Raise BadAudio unless the mode is that of a regular file."""
    if kind := special_kind(mode):
        raise BadAudio("AUDIO_UNREADABLE" if stat.S_ISDIR(mode) else "PATH_OUTSIDE_ROOT", kind)
