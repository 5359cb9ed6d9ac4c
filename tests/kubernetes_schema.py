"""Kubernetes' own types: whether an object of a manifest has only fields that there are, with values of their types."""

from collections.abc import Iterator
from typing import Any

import msgspec
from lightkube.models import apps_v1, batch_v1, core_v1

VERSIONS = {"v1": core_v1, "apps/v1": apps_v1, "batch/v1": batch_v1}


def faults(content: dict[str, Any]) -> list[str]:
    """Return what Kubernetes would refuse in an object: a value of another type, or else fields that there are not."""
    kind = getattr(VERSIONS[content["apiVersion"]], content["kind"])
    try:
        known = msgspec.convert(content, kind, strict=True)
    except msgspec.ValidationError as error:
        return [str(error)]
    return [*unknown_fields(content, msgspec.to_builtins(known), content["kind"])]


def unknown_fields(content: Any, known: Any, place: str) -> Iterator[str]:
    """Yield the places of fields that are not among those known."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name in known:
                yield from unknown_fields(value, known[name], f"{place}.{name}")
            else:
                yield f"{place}.{name}: no such field"
    elif isinstance(content, list):
        for number, (value, one) in enumerate(zip(content, known, strict=True)):
            yield from unknown_fields(value, one, f"{place}[{number}]")
