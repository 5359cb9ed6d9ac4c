"""Fetch files from servers and stores: in the cache of audio they are local files like any other.

A file of which the cache has a copy is asked for its version (ETag, or size and time) once for each pass over a shard,
so that the copy is never one of another version. Of which there is none is fetched by one request, whose answer states
the version. Downloads are complete, and of one version. What may pass is tried again; a server that does not answer is
left alone for a while, so that it costs bounded time and not a wait for each file.
"""

import atexit
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.measurements import BadAudio
from winnow.audio.remote import stores, web
from winnow.audio.remote.failures import Changed, MayPass, Unreachable, unreadable
from winnow.audio.remote.pauses import pause
from winnow.audio.remote.root import check_below
from winnow.audio.remote.stores import StoredFile
from winnow.audio.remote.urls import host_of, is_http, is_url, name_of
from winnow.audio.safe_open import AudioFile

R = TypeVar("R")

DELAYS = (0.5, 2.0, 8.0)  # seconds before each retry
LONGEST_WAIT = 30.0  # seconds that a server may ask for
SILENT_FILES = 3  # files in succession that a host did not answer for at all, after all retries
SILENT_SECONDS = 60.0  # for which it is not asked then
UNKNOWN = "unknown "  # how the version begins of a file whose server states none


class Versions:
    """What is known of files and hosts since the last `forget`; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str | None], str] = {}
        self._unversioned: list[tuple[str, str]] = []
        self._silent: dict[str, int] = {}
        self._asked_again: dict[str, float] = {}

    def forget(self) -> None:
        """Ask for the version of every file again; remove copies of files without one, which nobody can ask for."""
        with self._lock:
            self._known.clear()
            copies, self._unversioned = self._unversioned, []
        for url, version in copies:
            AUDIO_CACHE.remove(key_of(url, version), url)

    def get(self, url: str, root: str | None) -> str:
        """Return the version of a file, which is asked for unless it is known."""
        if (version := self.known(url, root)) is not None:
            return version
        return self.learn(url, root, web.version_of(url, root) if is_http(url) else stores.version_of(url))

    def known(self, url: str, root: str | None) -> str | None:
        return self._known.get((url, root))

    def learn(self, url: str, root: str | None, stated: str | None) -> str:
        """Note the version that a server stated, or if it states none one of its own, so that it is fetched again."""
        version = self._known[url, root] = stated or unknown_version()
        if version.startswith(UNKNOWN):
            self._unversioned.append((url, version))
        return version

    def drop(self, url: str, root: str | None) -> None:
        self._known.pop((url, root), None)

    def check_host(self, url: str) -> None:
        """Raise BadAudio for a host that did not answer for several files and is to be left alone."""
        with self._lock:
            again = self._asked_again.get(host_of(url), 0.0)
            if time.monotonic() < again:
                raise unreadable(url, "did not answer for several files; not asked for this one")

    def note(self, url: str, answered: bool) -> None:
        """Count how many files in succession a host did not answer for."""
        host = host_of(url)
        with self._lock:
            if answered:
                self._silent.pop(host, None)
                return
            self._silent[host] = self._silent.get(host, 0) + 1
            if self._silent[host] >= SILENT_FILES:
                self._asked_again[host] = time.monotonic() + SILENT_SECONDS


def unknown_version() -> str:
    return f"{UNKNOWN}{uuid.uuid4().hex}"


VERSIONS = Versions()
atexit.register(VERSIONS.forget)


def open_remote(url: str, root: str | None = None) -> AudioFile:
    """Open the cached copy of a file, which is fetched if it is not there in its present version.

    Raises BadAudio: AUDIO_MISSING, AUDIO_IO, PATH_OUTSIDE_ROOT, UNSUPPORTED_SCHEME.
    """
    check_root(url, root)
    file = with_retries(url, root, lambda: AUDIO_CACHE.open(*cache_entry(url, root)))
    file.name = name_of(url)
    return file


def local_path(path: str, root: str | None = None) -> Path:
    """Return a local path as it is, and of a URL the path of its cached copy, which is fetched if necessary.

    The copy may be removed to make room: ask again if it is gone. Raises BadAudio.
    """
    if not is_url(path):
        return Path(path)
    check_root(path, root)
    return with_retries(path, root, lambda: AUDIO_CACHE.file(*cache_entry(path, root)))


def copy_file(url: str, path: Path) -> None:
    """Write a file of any size to a path outside of the cache. Raises BadAudio."""

    def any_size(_: int) -> None:
        pass

    with_retries(url, None, lambda: download(url, None, VERSIONS.get(url, None), path, any_size))


def version_of(url: str) -> str:
    """Return what tells a file from its other versions, which is asked anew. Raises BadAudio."""
    VERSIONS.drop(url, None)
    return with_retries(url, None, lambda: VERSIONS.get(url, None))


def list_files(url: str) -> list[StoredFile]:
    """Return the files of a store below a folder, or that a pattern matches, in the order of names. Raises BadAudio."""
    return with_retries(url, None, lambda: stores.list_files(url))


def fetch(path: str, root: str | None) -> None:
    """Bring a file into the cache, ahead of its use. Raises BadAudio."""
    if is_url(path):
        local_path(path, root)


def cache_entry(url: str, root: str | None) -> tuple[str, Callable[[Path], object], str]:
    """Return the key of a file's present version in the cache, what fetches it, and what it is a version of."""

    def fetch_any(path: Path) -> str | None:
        if VERSIONS.known(url, root) is not None:  # another thread was faster
            return None
        return key_of(url, web.download(url, root, None, path, AUDIO_CACHE.check_fits) or unknown_version())

    def note(key: str) -> None:
        VERSIONS.learn(url, root, key.removeprefix(key_of(url, "")))

    if is_http(url) and VERSIONS.known(url, root) is None:
        AUDIO_CACHE.add_first(url, fetch_any, note)
    version = VERSIONS.get(url, root)
    return key_of(url, version), lambda path: download(url, root, version, path, AUDIO_CACHE.check_fits), url


def key_of(url: str, version: str) -> str:
    """Return what the cache calls a version of a file."""
    return f"{url} {version}"


def download(url: str, root: str | None, version: str, path: Path, check_size: Callable[[int], None]) -> None:
    if is_http(url):
        web.download(url, root, None if version.startswith(UNKNOWN) else version, path, check_size)
    else:
        stores.download(url, version, path, check_size)


def check_root(url: str, root: str | None) -> None:
    """Raise BadAudio for a URL outside of the audio root."""
    if root is not None:
        check_below(url, root)


def with_retries(url: str, root: str | None, attempt: Callable[[], R]) -> R:
    """Try to fetch something, again after each of DELAYS if what failed may pass. Raises BadAudio."""
    VERSIONS.check_host(url)
    for delay in (*DELAYS, None):
        try:
            result = attempt()
        except MayPass as error:
            if isinstance(error, Changed):
                VERSIONS.drop(url, root)
                if error.version is not None:
                    VERSIONS.learn(url, root, error.version)
            if delay is None:
                VERSIONS.note(url, answered=not isinstance(error, Unreachable))
                raise unreadable(url, f"{error}, {len(DELAYS) + 1} times") from error
            pause(min(LONGEST_WAIT, max(delay, error.after)))
            VERSIONS.check_host(url)
        except BadAudio:
            VERSIONS.note(url, answered=True)
            raise
        else:
            VERSIONS.note(url, answered=True)
            return result
    raise AssertionError("the last try returns or raises")
