"""Records of finished work: JSON with its own hash, so that a record that was altered does not count."""

import hashlib
from pathlib import Path
from typing import Any

from winnow.runs.json_object import decode_object, encode_object
from winnow.runs.storage import cannot_be_read, read_file

Record = dict[str, Any]
"""`files` (path in the run: sha256), `stage`, `shard`, `rows` and `facts` of finished work."""


def encode_record(key: str, record: Record) -> bytes:
    """Return the file of a record: the record, its key, and the sha256 of both."""
    content = record | {"key": key}
    return encode_object(content | {"sha256": hashlib.sha256(encode_object(content)).hexdigest()})


def decode_record(key: str, content: bytes) -> Record | None:
    """Return the record of a file, or None if these are not the bytes that were written for the key."""
    try:
        record = decode_object(content)
    except ValueError:
        return None
    for name in ("key", "sha256"):
        record.pop(name, None)
    return record if isinstance(record.get("files"), dict) and encode_record(key, record) == content else None


def read_record(path: Path) -> Record | None:
    """Return the record in a file, or None if it is missing, not intact or cannot be read."""
    try:
        return decode_record(path.stem, read_file(path))
    except OSError as error:
        if not cannot_be_read(path, error):
            raise
        return None


def named_files(path: Path) -> list[str]:
    """Return the files that a record names, whether it is intact or not; none if that cannot be told."""
    try:
        files = decode_object(read_file(path)).get("files")
    except (OSError, ValueError):
        return []
    return [*files] if isinstance(files, dict) else []
