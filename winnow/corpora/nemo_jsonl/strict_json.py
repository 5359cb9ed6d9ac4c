"""JSON, strictly: one object, no key twice, no half characters, not too deep. Complaints never show the content."""

import json
import re
from typing import Any

import msgspec

from winnow.corpora.utterance import PARSERS, BadUtterance, json_type

MAX_DEPTH = 100  # objects and lists in each other; the interpreter's own limit varies with who calls

TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|(?P<opens>[\[{])|(?P<closes>[\]}])|(?P<number>-?\d[\d.eE+-]*)', re.DOTALL
)
HEX = rb"[0-9a-fA-F]{2}"
ESCAPE = re.compile(
    rb"\\u[dD][89abAB]" + HEX + rb"\\u[dD][c-fC-F]" + HEX + rb"|(\\u[dD][89a-fA-F]" + HEX + rb")|\\.", re.DOTALL
)
PLACE = re.compile(r" \(byte (\d+)\)$")
INNER = (dict, list)


def decode_object(line: bytes) -> dict[str, Any]:
    """The object that the line is."""
    if line.count(b"[") + line.count(b"{") > MAX_DEPTH:
        check_depth(line)
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise explain_failure(line, error) from None
    if not isinstance(found, dict):
        raise BadUtterance("BAD_JSON", f"byte 0: {json_type(found)}, no object")
    if line.count(b":") != count_keys(found):  # a pair has a colon: with as many as keys, no key can be there twice
        json.loads(line, object_pairs_hook=refuse_duplicate_keys, parse_int=str, parse_float=str)
    return found


def check_depth(line: bytes) -> None:
    depth = 0
    for token in TOKEN.finditer(line):
        depth += bool(token["opens"]) - bool(token["closes"])
        if depth > MAX_DEPTH:
            raise BadUtterance(
                "BAD_JSON", f"byte {token.start()}: more than {MAX_DEPTH} objects or lists in each other"
            )


def explain_failure(line: bytes, error: Exception) -> BadUtterance:
    """Why a line could not be decoded."""
    try:
        line.decode()
    except UnicodeDecodeError as found:
        return BadUtterance("NOT_UTF8", f"byte {found.start}: {found.reason}")
    halves = [escape.start() for escape in ESCAPE.finditer(line) if escape[1]]
    if halves and decodes(ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], line)):
        return BadUtterance("LONE_SURROGATE", f"byte {halves[0]}: half of a surrogate pair")
    words = str(error).removeprefix("JSON is malformed: ").partition(" - at ")[0].lower()
    if place := PLACE.search(words):
        return BadUtterance("BAD_JSON", f"byte {place[1]}: {words[: place.start()]}")
    at = (token.start() for token in TOKEN.finditer(line) if token["number"] and not decodes(token["number"]))
    return BadUtterance(
        "BAD_JSON", f"byte {next(at, len(line))}: {words}"
    )  # a number out of range, or an end too early


def decodes(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def count_keys(value: dict[str, Any] | list[Any]) -> int:
    """How many keys there are, at any depth."""
    own, inner = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    return own + sum([count_keys(item) for item in inner if isinstance(item, INNER)])


def refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise BadUtterance("DUPLICATE_KEY", f"{key if key in PARSERS else 'another field'}, twice")
        seen.add(key)
