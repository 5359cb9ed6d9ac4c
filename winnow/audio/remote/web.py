"""Files of web servers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.failures import Changed, MayPass, Unreachable, missing, unreadable
from winnow.audio.remote.pace import Pace
from winnow.audio.remote.root import check_below
from winnow.audio.remote.urls import host_of, scheme_of

if TYPE_CHECKING:
    import httpx

MOST_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS = 10, 30
REDIRECTS = {301, 302, 303, 307, 308}
MISSING = {404, 410}
PASSING = {408, 425, 429, 500, 502, 503, 504}
NO_HEAD = {400, 403, 405, 501}
"""Answers of servers that sign or know one method only; then the beginning of the file is asked for."""
THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}

_lock = threading.Lock()


@cache
def client(direct: bool) -> "httpx.Client":
    """Return the client of this process, with or without the proxies of the environment."""
    import httpx

    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=None)
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
    headers = {"Accept-Encoding": "identity", "User-Agent": "winnow"}
    return httpx.Client(timeout=timeout, limits=limits, headers=headers, trust_env=not direct)


def client_for(host: str) -> "httpx.Client":
    with _lock:
        return client(host in THIS_MACHINE)


def version_of(url: str, root: str | None) -> str | None:
    """Return what tells a file from its other versions; None if the server does not say."""
    try:
        with answer("HEAD", url, root, raise_for=NO_HEAD) as response:
            return version_in(response)
    except NoHead:
        with answer("GET", url, root) as response:
            return version_in(response)


def download(url: str, root: str | None, version: str | None, path: Path) -> None:
    """Write a file to a path, of this version and complete. Raises BadAudio, MayPass."""
    import httpx

    with answer("GET", url, root) as response:
        if version is not None and version_in(response) != version:
            raise Changed("was changed while it was fetched")
        pace = Pace()
        try:
            with path.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
                    pace.add(len(piece))
        except httpx.RemoteProtocolError as error:
            raise MayPass("the connection was closed before the end of the file") from error
        except httpx.TimeoutException as error:
            raise Unreachable(f"no answer within {READ_SECONDS} s") from error
        except httpx.TransportError as error:
            raise MayPass(f"the connection failed ({type(error).__name__})") from error


class NoHead(Exception):
    """A server does not answer HEAD."""


@contextmanager
def answer(
    method: str, url: str, root: str | None, raise_for: set[int] | frozenset[int] = frozenset()
) -> Iterator["httpx.Response"]:
    """Ask for a file, also where the server redirects to. Raises BadAudio, and MayPass for what may pass.

    With `root`, no redirect may lead out of it; no redirect leads from https to http. NoHead is raised for the codes
    `raise_for`.
    """
    import httpx

    at = url
    for _ in range(MOST_REDIRECTS + 1):
        try:
            with client_for(httpx.URL(at).host).stream(method, at) as response:
                if response.status_code not in REDIRECTS:
                    if response.status_code in raise_for:
                        raise NoHead
                    raise_for_status(url, response)
                    yield response
                    return
                at = redirected(at, response.headers.get("location", ""), root)
        except httpx.TimeoutException as error:
            raise Unreachable("no answer in time") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadAudio("UNSUPPORTED_SCHEME", "not a valid URL") from error
        except httpx.ProxyError as error:
            raise Unreachable("the proxy refuses or fails") from error
        except httpx.TransportError as error:
            raise Unreachable(f"cannot be reached ({type(error).__name__})") from error
    raise unreadable(url, "redirects for ever")


def redirected(url: str, place: str, root: str | None) -> str:
    """Return where a redirect leads to, if it may."""
    target = urljoin(url, place)
    if root is not None:
        check_below(target, root)
    allowed = ("https",) if scheme_of(url) == "https" else ("http", "https")
    if scheme_of(target) not in allowed:
        raise BadAudio("AUDIO_IO", f"{host_of(url)}: redirects to another scheme")
    return target


def raise_for_status(url: str, response: "httpx.Response") -> None:
    status = response.status_code
    if status == HTTPStatus.OK:
        return
    phrase = responses.get(status, "")
    detail = f"{status} {phrase}".strip()
    if status in MISSING:
        raise missing(url, detail)
    if status in PASSING:
        wait = response.headers.get("retry-after", "")
        raise MayPass(detail, float(wait) if wait.isdecimal() else 0.0)
    raise unreadable(url, detail)


def version_in(response: "httpx.Response") -> str | None:
    """Return the ETag, or size and time of the file; None if neither is stated."""
    headers = response.headers
    if etag := headers.get("etag"):
        return str(etag).removeprefix("W/")
    modified = headers.get("last-modified")
    return f"{headers.get('content-length')} {modified}" if modified else None
