"""Credentials in URLs, which must not come out again in a log, a state, an artifact or a file."""

import re

USER = re.compile(rb"(?<=:/)(/?)(?:[^/\s\"'\\]+|[^/:\s\"'\\]*:(?!\d*/)[^\s\"'\\]+)@")
"""Up to the last @ before the path; a password may have slashes, which no port has."""

QUERY = re.compile(
    rb"(?i)([?&#](?:[\w-]*(?:signature|credential|token|access_?key(?:_?id)?|access_?id)|sig|api_?key|key|password|secret)=)"
    rb"[^&\s\"'#\\]+"
)


def redact_bytes(line: bytes) -> bytes:
    """The line with `***` for what stands before the @ of a URL, and for the values of a query that sign it."""
    if b":/" not in line:
        return line
    return QUERY.sub(rb"\1***", USER.sub(rb"\1***@", line))


def redact_text(text: str) -> str:
    return redact_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def first_line(error: Exception) -> str:
    return redact_text((str(error) or type(error).__name__).splitlines()[0])
