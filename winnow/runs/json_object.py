"""JSON objects as Winnow writes them: always in the same form, so that equal objects are equal bytes."""

import json
from typing import Any


def encode_object(value: dict[str, Any], indent: int | None = None) -> bytes:
    """Return a JSON object with sorted keys."""
    return json.dumps(value, sort_keys=True, indent=indent).encode() + b"\n"


def decode_object(content: bytes) -> dict[str, Any]:
    """Return the object in a JSON document; raises ValueError for anything else."""
    try:
        value = json.loads(content)
        json.dumps(value, ensure_ascii=False).encode()  # fails for half of a surrogate pair, which no path can have
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeError:
        raise ValueError("not UTF-8") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, got {type(value).__name__}")
    return value
