"""Features of Hugging Face datasets, which a schema's metadata describes: what values mean that a column stores.

Importing `datasets` takes longer than listing most corpora, and two features matter here: audio, and names of classes.
"""

import json
from typing import Any

import pyarrow as pa

Feature = Any
"""A feature as JSON describes it: an object with its `_type`, an object of features, or a list with one."""


def features_of(schema: pa.Schema) -> dict[str, Feature]:
    """Return the features of a schema by the names of their columns; none if it is not that of a dataset."""
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])
        return dict(described["info"]["features"] or {})
    except (KeyError, TypeError, ValueError):
        return {}


def is_audio(feature: Feature) -> bool:
    return isinstance(feature, dict) and feature.get("_type") == "Audio"


def named_classes(value: Any, feature: Feature) -> Any:
    """Return a value with the names of classes in the place of their numbers, also inside of lists and objects."""
    if value is None:
        return None
    if isinstance(feature, list):
        return [named_classes(item, feature[0]) for item in value] if feature and isinstance(value, list) else value
    if not isinstance(feature, dict):
        return value
    if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
        return feature["names"][value] if isinstance(value, int) and 0 <= value < len(feature["names"]) else None
    if "feature" in feature:
        return named_classes(value, [feature["feature"]] if isinstance(value, list) else feature["feature"])
    if isinstance(value, dict):
        return {name: named_classes(item, feature.get(name)) for name, item in value.items()}
    return value


def has_classes(feature: Feature) -> bool:
    """Tell whether a feature has classes anywhere in it."""
    return '"ClassLabel"' in json.dumps(feature)
