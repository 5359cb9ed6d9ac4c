"""Credentials in URLs: hidden in logs, states, artifacts and files, and refused in parameters."""

import re
from typing import TypeVar

from winnow.errors import WinnowError
from winnow.inert import one_line

Value = TypeVar("Value")

USER = re.compile(rb"(?<=:/)(/?)(?:[^/\s\"'\\]+|[^/:\s\"'\\]*:(?!\d*/)[^\s\"'\\]+)@")
"""User and password, up to the last @ before the path. A password may contain slashes, a port may not."""

QUERY = re.compile(
    rb"(?i)([?&#](?:[\w-]*(?:signature|credential|token|access_?key(?:_?id)?|access_?id)|sig|api_?key|key|password|secret)=)"
    rb"[^&\s\"'#\\]+"
)


def redact_bytes(line: bytes) -> bytes:
    """Replace by `***` what precedes the @ of a URL and the values of query parameters that sign it."""
    if b":/" not in line:
        return line
    return QUERY.sub(rb"\1***", USER.sub(rb"\1***@", line))


def redact_text(text: str) -> str:
    """Do the same in a text."""
    return redact_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def refuse_credentials(value: Value) -> Value:
    """Return a parameter; raise ValueError if it contains credentials, because parameters are recorded."""
    if redact_text(str(value)) != str(value):
        raise ValueError("credentials are not allowed in a parameter: set them in the environment")
    return value


def error_line(error: BaseException) -> str:
    """Return the first line of an error, inert, after the name of its class unless it is one of Winnow's own."""
    message = str(error) if isinstance(error, WinnowError) else f"{type(error).__name__}: {error}".removesuffix(": ")
    return one_line(redact_text(message.strip().splitlines()[0]))
