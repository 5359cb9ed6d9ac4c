"""The YAML of a model's configuration: read as OmegaConf reads it, and written so that every parser reads the same.

YAML has several versions, and its parsers differ in numbers, dates, characters and line breaks. A configuration is
therefore read once, by the parser that NeMo uses, and what NeMo opens is written from the tree that was checked.
"""

import functools
import io
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from winnow.engines.nemo.archive import RuleViolation

MAX_DEPTH = 50  # of mappings and lists; NeMo's have about ten
MAX_INT = 2**63
AMBIGUOUS = re.compile("[\x85\u2028\u2029\ufeff]")
"""Characters that one parser takes for a line break or skips, and another takes for text."""


def read_config(content: bytes) -> dict[str, Any]:
    """Parse a configuration of mappings, lists and plain values."""
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read()
        if found := AMBIGUOUS.search(text):
            raise RuleViolation(f"line {text.count(chr(10), 0, found.start()) + 1}: U+{ord(found[0]):04X} in YAML")
        config = yaml.load(text, strict_loader())
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise RuleViolation(f"invalid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise RuleViolation(f"expected a mapping, got {type(config).__name__}")
    for place, value in walk_values(config):
        check_value(place, value)
    return config


@functools.cache
def strict_loader() -> Any:
    """Return OmegaConf's loader without syntax that expands, changes types or overwrites."""
    from omegaconf._utils import get_yaml_loader

    class StrictLoader(get_yaml_loader()):  # type: ignore[misc]
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()
            line = f"line {event.start_mark.line + 1}"
            if anchor := getattr(event, "anchor", None):
                raise RuleViolation(f"{line}: alias {anchor!r} is not allowed")
            if tag := getattr(event, "tag", None):
                raise RuleViolation(f"{line}: tag {tag!r} is not allowed")
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise RuleViolation(f"{line}: nested more than {MAX_DEPTH} levels deep")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            distinct = len(set(keys)) == len(keys) and "<<" not in keys
            mapping = super().construct_mapping(node, deep) if distinct else {}
            if len(mapping) < len(node.value):  # 1 and 0x1 are one key
                raise RuleViolation(f"line {node.start_mark.line + 1}: duplicate or merged key in a mapping")
            return mapping

    return StrictLoader


def walk_values(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place and value of every key and of every value that is neither a mapping nor a list."""
    if isinstance(value, dict):
        for key, item in value.items():
            where = f"{place}.{key}".lstrip(".")
            if type(key) not in (str, int):
                raise RuleViolation(f"{where}: the key {key!r} is neither text nor a whole number")
            yield where, key
            yield from walk_values(item, where)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from walk_values(item, f"{place}.{number}")
    else:
        yield place, value


def check_value(place: str, value: Any) -> None:
    """Refuse values that YAML cannot express, or that parsers read differently."""
    if type(value) not in (str, int, float, bool, type(None)):
        raise RuleViolation(f"{place}: {value!r} is neither text, a number, true, false nor null")
    if type(value) is int and not -MAX_INT <= value < MAX_INT:
        raise RuleViolation(f"{place}: {value:#x} has more than 64 bits")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise RuleViolation(f"{place}: half of a surrogate pair") from error


class PlainDumper(yaml.SafeDumper):
    """A dumper that writes ASCII, quotes every text and repeats what occurs twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"')


PlainDumper.add_representer(str, PlainDumper.represent_text)


def write_config(config: dict[str, Any]) -> bytes:
    """Return the configuration as YAML, after checking that OmegaConf reads it as the same tree."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    text = yaml.dump(config, Dumper=PlainDumper, sort_keys=False, width=math.inf)
    try:
        reread = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)))
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise RuleViolation(f"OmegaConf refuses it: {' '.join(str(error).split())}") from error
    if repr(reread) != repr(config):
        raise RuleViolation("OmegaConf reads another configuration than was checked")
    return text.encode("ascii")
