"""Strict JSON: one object, unique keys, whole characters, limited depth. Messages never quote the content.

The constants NaN and Infinity, which JSON does not have but Python writes, are accepted.
"""

import json
import re
from typing import Any

import msgspec

from winnow.corpora.faults import BadUtterance, json_type
from winnow.corpora.utterance import COLUMN_FIELDS

MAX_DEPTH = 100  # levels of objects and lists; the interpreter's own limit depends on the caller

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
TOKEN = re.compile(STRING + rb"|(?P<opens>[\[{])|(?P<closes>[\]}])|(?P<number>-?\d[\d.eE+-]*)", re.DOTALL)
CONSTANT = re.compile(STRING + rb"|(?<![-+\w.])(-?Infinity|NaN)(?![-+\w.])", re.DOTALL)
CONSTANTS = {"NaN": None, "Infinity": float("inf"), "-Infinity": float("-inf")}
"""What each constant is decoded as. An infinity is null as well where a field has no parser of its own."""

HEX = rb"[0-9a-fA-F]{2}"
ESCAPE = re.compile(
    rb"\\u[dD][89abAB]" + HEX + rb"\\u[dD][c-fC-F]" + HEX + rb"|(\\u[dD][89a-fA-F]" + HEX + rb")|\\.", re.DOTALL
)
PLACE = re.compile(r" \(byte (\d+)\)$")
INNER = (dict, list)


def decode_line(line: bytes) -> tuple[dict[str, Any], list[str]]:
    """Decode a line that is one JSON object; also return how it was mended, as keys of `winnow.schema.MENDINGS`.

    Raises BadUtterance for anything else.
    """
    if line.count(b"[") + line.count(b"{") > MAX_DEPTH:
        check_depth(line)
    mended: list[str] = []
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fields = decode_with_constants(line, error)
        mended.append("NAN_AS_NULL")
    if not isinstance(fields, dict):
        raise BadUtterance("BAD_JSON", f"byte 0: expected an object, got {json_type(fields)}")
    if line.count(b":") != count_keys(fields):  # each pair has a colon: if there are no more, no key is repeated
        json.loads(line, object_pairs_hook=refuse_duplicate_keys, parse_int=str, parse_float=str)
    return fields, mended


def decode_with_constants(line: bytes, error: Exception) -> Any:
    """Decode JSON that has constants in it; raises BadUtterance if it could not be decoded for another reason."""
    numbers = CONSTANT.sub(lambda match: b"0.".ljust(len(match[1]), b"0") if match[1] else match[0], line)
    if numbers == line:
        raise explain_failure(line, error) from None
    try:
        msgspec.json.decode(numbers)  # as strictly as any other line, with the same places
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise explain_failure(numbers, fault) from None
    return json.loads(line.decode(), parse_constant=CONSTANTS.__getitem__)


def constants_as_null(lines: bytes) -> bytes:
    """Replace NaN and Infinity outside of strings by null."""
    if b"NaN" not in lines and b"Infinity" not in lines:
        return lines
    return CONSTANT.sub(lambda match: b"null" if match[1] else match[0], lines)


def check_depth(line: bytes) -> None:
    """Raise BadUtterance if objects and lists are nested deeper than MAX_DEPTH."""
    depth = 0
    for token in TOKEN.finditer(line):
        depth += bool(token["opens"]) - bool(token["closes"])
        if depth > MAX_DEPTH:
            raise BadUtterance("BAD_JSON", f"byte {token.start()}: nested deeper than {MAX_DEPTH} levels")


def explain_failure(line: bytes, error: Exception) -> BadUtterance:
    """Return why a line could not be decoded, as a reason and the byte where it went wrong."""
    try:
        line.decode()
    except UnicodeDecodeError as fault:
        return BadUtterance("NOT_UTF8", f"byte {fault.start}: {fault.reason}")
    halves = [escape.start() for escape in ESCAPE.finditer(line) if escape[1]]
    if halves and decodes(ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], line)):
        return BadUtterance("LONE_SURROGATE", f"byte {halves[0]}: half of a surrogate pair")
    words = str(error).removeprefix("JSON is malformed: ").partition(" - at ")[0].lower()
    if place := PLACE.search(words):
        return BadUtterance("BAD_JSON", f"byte {place[1]}: {words[: place.start()]}")
    # the error states no byte for a number out of range, nor for an input that ends too early
    numbers = (token.start() for token in TOKEN.finditer(line) if token["number"] and not decodes(token["number"]))
    return BadUtterance("BAD_JSON", f"byte {next(numbers, len(line))}: {words}")


def decodes(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def count_keys(value: dict[str, Any] | list[Any]) -> int:
    """Count the keys at any depth."""
    own, inner = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    return own + sum([count_keys(item) for item in inner if isinstance(item, INNER)])


def refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> None:
    """Raise BadUtterance if a key occurs twice in an object; the key is named only if it is one with a column."""
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise BadUtterance("DUPLICATE_KEY", f"{key if key in COLUMN_FIELDS else 'another field'}, twice")
        seen.add(key)
