"""Credentials in URLs: hidden in logs, states, artifacts and files, and refused in parameters."""

import re
from typing import TypeVar

from winnow.errors import WinnowError
from winnow.printable import one_line

Value = TypeVar("Value")

END = re.compile(rb"[\s\"'\\]|\Z")
"""Where a URL ends."""

PORT = re.compile(rb"\d*(?=/)")

QUERY = re.compile(
    rb"(?i)([?&#](?:[\w-]*(?:signature|credential|token|access_?key(?:_?id)?|access_?id)|sig|api_?key|key|password|secret)=)"
    rb"[^&\s\"'#\\]+"
)


def redact_bytes(line: bytes) -> bytes:
    """Replace by `***` what precedes the @ of a URL and the values of query parameters that sign it."""
    if b":/" not in line:
        return line
    return QUERY.sub(rb"\1***", hide_users(line) if b"@" in line else line)


def hide_users(line: bytes) -> bytes:
    """Replace user and password in URLs, up to the last @ before the path, in linear time.

    A password may contain slashes, a port may not.
    """
    parts, done, end, last = [], 0, -1, -1
    colon = line.find(b":/")
    while colon >= 0:
        start = colon + 2 + line.startswith(b"/", colon + 2)
        if colon >= end:
            end = END.search(line, colon).start()  # type: ignore[union-attr]
            last = line.rfind(b"@", colon, end)
        host = line.find(b"/", start, end)
        at = line.rfind(b"@", start, host if host >= 0 else end)
        if at <= start:
            user = line.find(b":", start, host if host >= 0 else end)
            at = last if 0 <= user < last - 1 and not PORT.match(line, user + 1, end) else -1
        if at > start:
            parts += [line[done:start], b"***"]
            done = at
        colon = line.find(b":/", max(at, colon + 1))
    return b"".join([*parts, line[done:]])


def redact_text(text: str) -> str:
    """Do the same in a text."""
    return redact_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def refuse_credentials(value: Value) -> Value:
    """Return a parameter; raise ValueError if it contains credentials, because parameters are recorded."""
    if redact_text(str(value)) != str(value):
        raise ValueError("credentials are not allowed in a parameter: set them in the environment")
    return value


def error_line(error: BaseException) -> str:
    """Return the first line of an error, printable, after the name of its class unless it is one of Winnow's own."""
    message = str(error) if isinstance(error, WinnowError) else f"{type(error).__name__}: {error}".removesuffix(": ")
    return one_line(redact_text(message.strip().splitlines()[0]))
