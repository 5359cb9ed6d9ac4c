"""Audio that is in no local file yet, in a bounded cache on disk: of another machine, or in a form without ranges.

A file is made as a draft beside its place and gets its name at the end, so it is complete whenever it exists. Whoever
makes it holds a lock on the draft, which the system releases if the process dies; others who need the file wait for it.
What was used longest ago is removed first. The libraries for caches do not fit: fsspec's has no bound, and diskcache
holds values in memory. All processes of a machine share the cache, and the limit of the one that adds a file counts.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from winnow.audio.drafts import has_other_name, mark_used_if_whole, name_also, point, remove_alone, seal
from winnow.audio.safe_open import AudioFile
from winnow.cache import cache_root
from winnow.errors import DISK_FULL_ERRORS, DiskFull, OptionError
from winnow.file_lock import locked

LEAST_LEFT = 0.9  # of the limit that stays filled when files are removed, so that not every new one removes another
TRIES = 5  # to open a file that others remove
DIGITS = 20  # of the number of bytes in the cache
DRAFT, LATEST, SIZE = ".draft", ".latest", "size"


class AudioCache:
    """The cache below `cache_root()/audio`, with at most `limit` bytes, besides drafts."""

    def __init__(self, limit: int = 20 * 10**9) -> None:
        self.limit = limit
        self._tidied: set[Path] = set()

    @property
    def folder(self) -> Path:
        return cache_root() / "audio"

    def file(self, key: str, make: Callable[[Path], object], of: str | None = None) -> Path:
        """Return the file of a key, which stands for its content; `make` writes it to a path if it is not there yet.

        One thread of one process makes it while others wait. Another one may remove it at any time: use `open` unless
        the file can be asked for again. `make` may ask for the files of other keys. `of` is what the key is a version
        of, which `add_first` then finds. Raises what `make` raises, DiskFull, and OptionError for a file larger than
        the cache.
        """
        path = self.path_of(key, of)
        if not mark_used_if_whole(path):
            self.prepare(path.parent)
            with self.draft_of(path) as draft:
                if not mark_used_if_whole(path):
                    make(draft)
                    self.keep(draft, path)
                    if of is not None:
                        point(path.with_name(hashed(of) + LATEST), draft)
        return path

    def add_first(self, of: str, make: Callable[[Path], str | None], added: Callable[[str], object]) -> None:
        """Add a version of something of which there is none: `make` writes one to a path and returns its key.

        If it returns None there is nothing to add. `added` gets the key of what is there now, while other threads still
        wait for it. Raises as `file` does.
        """
        path = self.path_of(of, of)
        latest = path.with_suffix(LATEST)
        if has_other_name(latest):
            return
        self.prepare(path.parent)
        with self.draft_of(path) as draft:
            if not has_other_name(latest) and (key := make(draft)) is not None:
                self.keep(draft, path.with_name(hashed(key)))
                point(latest, draft)
                added(key)

    def path_of(self, key: str, of: str | None) -> Path:
        """Return where the file of a key is, if it is there: in one of sixteen folders, as are all versions of it."""
        name = hashed(key)
        return self.folder / f"{(name if of is None else hashed(of))[0]}/{name}"

    def prepare(self, folder: Path) -> None:
        """Make a folder for files of the cache."""
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tidy_once(folder.parent)

    def open(self, key: str, make: Callable[[Path], object], of: str | None = None) -> AudioFile:
        """Open the file of a key; it stays readable if it is removed. Its identity is that of the key."""
        for _ in range(TRIES):
            path = self.file(key, make, of)
            with suppress(FileNotFoundError):
                file = AudioFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC), str(path))
                file.identity = path.name
                return file
        raise OptionError(f"--audio.cache of {in_words(self.limit)}: too small for all that is used at once")

    def check_fits(self, size: int) -> None:
        """Raise OptionError for a file of so many bytes that the cache can never hold."""
        if size > self.limit:
            raise OptionError(
                f"--audio.cache of {in_words(self.limit)}: too small for a file of {in_words(size)}: give a larger one"
            )

    @contextmanager
    def draft_of(self, path: Path) -> Iterator[Path]:
        """Yield where a file is to be written before it is kept, while nobody else writes there; raises DiskFull."""
        try:
            while True:
                with locked(path.with_suffix(DRAFT)) as draft:
                    if has_other_name(draft):  # a process died after it had completed the file: it stays as it is
                        continue
                    yield draft
                    return
        except OSError as error:
            if error.errno in DISK_FULL_ERRORS:
                raise DiskFull(
                    f"{self.folder}: {error.strerror}: make room, or give less than --audio.cache of "
                    f"{in_words(self.limit)}; then run the same command again"
                ) from error
            raise

    def keep(self, draft: Path, path: Path) -> None:
        """Give a draft its other name, and make room for it. The size of all is counted before."""
        size = draft.stat().st_size
        self.check_fits(size)
        seal(draft, size)
        counter = os.open(path.parent.parent / SIZE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(counter, fcntl.LOCK_EX)
            total = self.counted_bytes(counter)
            if total + size > self.limit:
                total = self.remove_oldest(min(self.limit - size, int(LEAST_LEFT * self.limit)))
            os.pwrite(counter, f"{total + size:{DIGITS}}".encode(), 0)  # a file that is cut first would be flushed
            path.unlink(missing_ok=True)  # if it was cut off
            name_also(draft, path)
        finally:
            os.close(counter)

    def remove(self, key: str, of: str) -> None:
        """Remove a file that nobody will ask for again, if it is there; whoever has it open can still read it."""
        path = self.path_of(key, of)
        path.unlink(missing_ok=True)
        remove_alone(path.with_name(hashed(of) + LATEST))

    def counted_bytes(self, counter: int) -> int:
        """Return how many bytes the cache has: not fewer than there are, if it was not written to by others."""
        try:
            return int(os.pread(counter, DIGITS, 0))
        except ValueError:
            return sum(size for _, size, _ in self.files())

    def files(self) -> Iterator[tuple[int, int, Path]]:
        """Yield for each complete file when it was used last [ns], its size [bytes] and its path."""
        for path in self.folder.glob("*/*"):
            if not path.suffix:
                with suppress(FileNotFoundError):
                    status = path.stat()
                    yield status.st_atime_ns, status.st_size, path

    def remove_oldest(self, most: int) -> int:
        """Remove what was used longest ago until there are at most so many bytes; return how many there are."""
        files = sorted(self.files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= most:
                break
            path.unlink(missing_ok=True)
            total -= size
        for latest in self.folder.glob(f"*/*{LATEST}"):
            remove_alone(latest)
        return total

    def tidy_once(self, folder: Path) -> None:
        """Remove drafts that dead processes left, once in the life of this one."""
        if folder in self._tidied:
            return
        self._tidied.add(folder)
        for draft in folder.glob(f"*/*{DRAFT}"):
            with suppress(BlockingIOError), locked(draft, wait=False):
                pass


@lru_cache(4096)
def hashed(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def in_words(size: int) -> str:
    """Return a number of bytes as `--audio.cache` takes it, rounded: 20 GB."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


AUDIO_CACHE = AudioCache()
"""The cache of this process, whose limit a pass sets (`--audio.cache`)."""

cached_file = AUDIO_CACHE.file
open_cached = AUDIO_CACHE.open
