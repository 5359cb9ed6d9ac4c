"""Files of object stores, by fsspec: their libraries read the credentials from the environment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.failures import Changed, MayPass, Unreachable, error_names, missing, unreadable
from winnow.audio.remote.pace import Pace
from winnow.audio.remote.urls import missing_library, scheme_of
from winnow.errors import DISK_FULL_ERRORS, WinnowError

CONFIG = {"connect_timeout": 10, "read_timeout": 30, "retries": {"mode": "standard", "total_max_attempts": 1}}
OPTIONS: dict[str, dict[str, Any]] = {"s3": {"config_kwargs": CONFIG}, "s3a": {"config_kwargs": CONFIG}}
"""Tries are repeated here, with delays, and not within the libraries."""

REFUSED = (
    *("NoCredentials", "PartialCredentials", "Permission", "AccessDenied", "Forbidden", "InvalidAccessKeyId"),
    *("SignatureDoesNotMatch", "ExpiredToken", "401", "403"),
)
UNREACHABLE = ("Connect", "Timeout", "ServerDisconnected", "gaierror", "SSLError", "ProxyError")
VERSION_FIELDS = ("ETag", "etag", "md5Hash", "content_settings", "blob_id", "checksum", "generation")
TIME_FIELDS = ("LastModified", "last_modified", "updated", "mtime", "last_commit")


@cache
def store(scheme: str) -> Any:
    """Return the store of a scheme. Raises BadAudio if its library is not installed."""
    if library := missing_library(scheme):
        raise BadAudio("UNSUPPORTED_SCHEME", f"{scheme}:// needs {library}, which is not installed")
    import fsspec

    fs = fsspec.filesystem(scheme, use_listings_cache=False, **OPTIONS.get(scheme, {}))
    if hasattr(fs, "retries"):
        fs.retries = 1
    return fs


def version_of(url: str) -> str:
    """Return what tells an object from its other versions."""
    with explained(url):
        fs = store(scheme_of(url))
        fs.invalidate_cache()
        return version_in(fs.info(url))


def version_in(info: dict[str, Any]) -> str:
    named = next((str(info[name]) for name in VERSION_FIELDS if info.get(name)), "")
    time = next((str(info[name]) for name in TIME_FIELDS if info.get(name)), "")
    return f"{named or time} {info.get('size')}"


def download(url: str, version: str, path: Path, check_size: Callable[[int], None]) -> None:
    """Write an object to a path, of this version and complete. Raises BadAudio, MayPass.

    `check_size` is called with the bytes that are announced, before any is written.
    """
    from fsspec.callbacks import Callback as Progress

    class Paced(Progress):  # type: ignore[misc]
        def set_size(self, size: int | None) -> None:
            check_size(size or 0)

        def relative_update(self, inc: int = 1) -> None:
            pace.add(inc)

    pace = Pace()
    with explained(url):
        store(scheme_of(url)).get_file(url, str(path), callback=Paced())
    if version_of(url) != version:
        raise Changed("was changed while it was fetched")


class StoredFile(NamedTuple):
    """A file of a store: its URL, what tells it from its other versions, and its bytes."""

    url: str
    version: str
    size: int


def list_files(url: str) -> list[StoredFile]:
    """Return each file below a folder, or that a pattern matches, in the order of names; also the only one."""
    scheme = scheme_of(url)
    with explained(url):
        fs = store(scheme)
        fs.invalidate_cache()
        pattern = any(letter in url for letter in "*?[")
        found = fs.glob(url, detail=True) if pattern else fs.find(url, detail=True)
    files = {name: info for name, info in found.items() if info.get("type") == "file"}
    return [
        StoredFile(f"{scheme}://{name.lstrip('/')}", version_in(info), int(info.get("size") or 0))
        for name, info in sorted(files.items())
    ]


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Raise BadAudio, or MayPass for what may pass, instead of what a store's library raises."""
    try:
        yield
    except (BadAudio, MayPass, WinnowError, MemoryError):
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        raise missing(url, "no such object") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS:
            raise
        names = " ".join(kind.__name__ for kind in type(error).__mro__) + error_names(error)
        if any(name in names for name in REFUSED):
            raise unreadable(url, f"refuses access: {error_names(error)}") from error
        kind = Unreachable if any(name in names for name in UNREACHABLE) else MayPass
        raise kind(f"failed: {error_names(error)}") from error
