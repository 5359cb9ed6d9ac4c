"""The audio root as a URL: what lies below it."""

import re
from urllib.parse import unquote, urlsplit

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.urls import HTTP


def check_below(url: str, root: str) -> None:
    """Raise BadAudio unless a URL lies below that of a folder: same scheme and host, and no `..` in it."""
    within = place_of(root)
    try:
        outside = place_of(url)
    except ValueError as error:
        raise BadAudio("UNSUPPORTED_SCHEME", "not a valid URL") from error
    if outside[:2] != within[:2] or ".." in outside[2] or outside[2][: len(within[2])] != within[2]:
        raise BadAudio("PATH_OUTSIDE_ROOT", "leads out of the audio root")


def place_of(url: str) -> tuple[str, str, list[str]]:
    """Return scheme, host and the parts of the path, in which nothing is escaped any more."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in HTTP:
        bucket, _, key = rest.partition("/")
        return scheme, bucket, [part for part in key.split("/") if part]
    parts = urlsplit(url)
    path, before = parts.path, None
    while path != before:  # servers may undo several levels of escaping
        path, before = unquote(path), path
    port = parts.port or {"http": 80, "https": 443}[scheme]
    return scheme, f"{(parts.hostname or '').lower()}:{port}", [part for part in re.split(r"[/\\]", path) if part]
