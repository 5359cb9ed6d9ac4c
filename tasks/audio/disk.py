"""Files that are safe to open, and errors of the disk that libsndfile would hide."""

import errno
import io
import os
import stat
from pathlib import Path

from tasks.audio.sound import BadAudio

PASSING = {
    getattr(errno, name)
    for name in """EIO ESTALE ETIMEDOUT EAGAIN EINTR EBUSY EMFILE ENFILE ENOMEM ENOLCK ENOTCONN ECONNRESET ECONNABORTED
    ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH EREMOTEIO""".split()
    if hasattr(errno, name)
}


class Disk(io.FileIO):
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


def opened(path: str, root: str | Path | None) -> Disk:
    """The file, which is looked at before it is opened: opening a device may do something, and a fifo blocks."""
    if root is not None:
        path = os.path.realpath(path)
        if not Path(path).is_relative_to(os.path.realpath(root)):
            raise BadAudio("PATH_OUTSIDE_ROOT", "leads out of the audio root")
    only_file(Path(path).stat().st_mode)
    disk = Disk(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    try:
        only_file(os.fstat(disk.fileno()).st_mode)  # it may have been replaced since
    except BadAudio:
        disk.close()
        raise
    return disk


def only_file(mode: int) -> None:
    """Nothing but a regular file is audio."""
    if stat.S_ISDIR(mode):
        raise BadAudio("AUDIO_UNREADABLE", "a folder")
    if not stat.S_ISREG(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise BadAudio("PATH_OUTSIDE_ROOT", kind)
