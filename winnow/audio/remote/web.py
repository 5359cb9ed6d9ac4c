"""Files of web servers."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import responses
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.connections import READ_SECONDS, ask, leave
from winnow.audio.remote.failures import Changed, MayPass, Unreachable, missing, unreadable
from winnow.audio.remote.pace import Pace
from winnow.audio.remote.pauses import seconds_asked
from winnow.audio.remote.root import check_below
from winnow.audio.remote.urls import host_of, name_of, scheme_of

MOST_REDIRECTS = 5
PIECE = 2**20  # bytes that are read at once, at most
REDIRECTS = {301, 302, 303, 307, 308}
MISSING = {404, 410}
PASSING = {408, 425, 429, 500, 502, 503, 504}
NO_HEAD = {400, 403, 405, 501}
"""Answers of servers that sign or know one method only; then the beginning of the file is asked for."""
COMPRESSED = (".gz", ".tgz", ".zst", ".bz2")
"""How files end that are compressed themselves: what a server calls the encoding of its answer is then the file's."""


def version_of(url: str, root: str | None) -> str | None:
    """Return what tells a file from its other versions; None if the server does not say."""
    try:
        with answer("HEAD", url, root, raise_for=NO_HEAD) as response:
            return version_in(response)
    except NoHead:
        with answer("GET", url, root) as response:
            return version_in(response)


def download(
    url: str, root: str | None, version: str | None, path: Path, check_size: Callable[[int], None]
) -> str | None:
    """Write a file to a path, complete and of this version, or of any; return which one it is, as `version_of` does.

    `check_size` is called with the bytes that are announced and that were written. Raises BadAudio, MayPass.
    """
    with answer("GET", url, root) as response:
        found = version_in(response)
        if version is not None and found != version:
            raise Changed("was changed while it was fetched", found)
        check_size(response.length_remaining or 0)
        with explained_body(), path.open("wb") as file:
            pace, content = Pace(), content_of(url, response)
            while piece := content.read1(PIECE):
                file.write(piece)
                pace.add(len(piece))
                check_size(file.tell())
        return found


class CompressedBody:
    """The bytes of an answer as they are sent, for a reader that decompresses them."""

    def __init__(self, response: Any) -> None:
        self.response = response

    def read(self, size: int) -> bytes:
        """Return what has come, up to so many bytes."""
        return bytes(self.response.read1(size, decode_content=False))


def content_of(url: str, response: Any) -> Any:
    """Return what reads the content of an answer, and raises an error where compressed content is cut off."""
    if name_of(url).lower().endswith(COMPRESSED):
        response.decode_content = False
    elif response.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip"):
        return gzip.GzipFile(fileobj=CompressedBody(response))  # type: ignore[call-overload]
    return response


class NoHead(Exception):
    """A server does not answer HEAD."""


@contextmanager
def answer(
    method: str, url: str, root: str | None, raise_for: set[int] | frozenset[int] = frozenset()
) -> Iterator[Any]:
    """Ask for a file, also where the server redirects to. Raises BadAudio, and MayPass for what may pass.

    With `root`, no redirect may lead out of it; no redirect leads from https to http. NoHead is raised for the codes
    `raise_for`.
    """
    at = url
    for _ in range(MOST_REDIRECTS + 1):
        with explained_headers():
            response = ask(method, at)
        try:
            if response.status not in REDIRECTS:
                if response.status in raise_for:
                    raise NoHead
                raise_for_status(url, response)
                yield response
                return
            at = redirected(at, response.headers.get("location", ""), root)
        finally:
            leave(response)
    raise unreadable(url, "redirects for ever")


@contextmanager
def explained_headers() -> Iterator[None]:
    """Raise BadAudio, or MayPass for what may pass, for a server that does not answer."""
    from urllib3 import exceptions

    try:
        yield
    except exceptions.NewConnectionError as error:
        raise Unreachable(f"cannot be reached ({type(error).__name__})") from error
    except exceptions.TimeoutError as error:
        raise Unreachable("no answer in time") from error
    except (exceptions.LocationValueError, ValueError) as error:
        raise BadAudio("UNSUPPORTED_SCHEME", "not a valid URL") from error
    except exceptions.ProxyError as error:
        raise Unreachable("the proxy refuses or fails") from error
    except (exceptions.HTTPError, OSError) as error:
        raise Unreachable(f"cannot be reached ({type(error).__name__})") from error


@contextmanager
def explained_body() -> Iterator[None]:
    """Raise MayPass for a connection that fails while a file is read, and for what cannot be decompressed."""
    from urllib3 import exceptions

    try:
        yield
    except exceptions.TimeoutError as error:
        raise Unreachable(f"no answer within {READ_SECONDS} s") from error
    except (exceptions.ProtocolError, exceptions.IncompleteRead) as error:
        raise MayPass("the connection was closed before the end of the file") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MayPass("compressed content ends before its end, or is damaged") from error
    except exceptions.HTTPError as error:
        raise MayPass(f"the connection failed ({type(error).__name__})") from error


def redirected(url: str, place: str, root: str | None) -> str:
    """Return where a redirect leads to, if it may."""
    try:
        target = urljoin(url, place)
        _ = urlsplit(target).port  # which is checked only when it is asked for
    except ValueError:
        raise unreadable(url, "redirects to what is not a valid URL") from None
    if root is not None:
        check_below(target, root)
    allowed = ("https",) if scheme_of(url) == "https" else ("http", "https")
    if scheme_of(target) not in allowed:
        raise BadAudio("AUDIO_IO", f"{host_of(url)}: redirects to another scheme")
    return target


def raise_for_status(url: str, response: Any) -> None:
    status = response.status
    if status == HTTPStatus.OK:
        return
    phrase = responses.get(status, "")
    detail = f"{status} {phrase}".strip()
    if status in MISSING:
        raise missing(url, detail)
    if status in PASSING:
        raise MayPass(detail, seconds_asked(response.headers))
    raise unreadable(url, detail)


def version_in(response: Any) -> str | None:
    """Return the ETag, or size and time of the file; None if neither is stated."""
    headers = response.headers
    if etag := headers.get("etag"):
        return str(etag).removeprefix("W/")
    modified = headers.get("last-modified")
    return f"{headers.get('content-length')} {modified}" if modified else None
