"""Names that fields have in a corpus, and the names that Winnow knows them by."""

from collections.abc import Iterable, Mapping
from typing import Any

from winnow.corpora.faults import BadUtterance
from winnow.corpora.forms import MANIFEST
from winnow.corpora.text_forms import Aliases, first_of
from winnow.parameters.column_names import parse_columns

USUAL: Aliases = {**MANIFEST, "lang": ("locale",)}
"""Names that columns of tables usually have, by Winnow's."""


def renamed(fields: Mapping[str, Any], columns: str) -> dict[str, Any]:
    """Return the fields of a row under the names that `--columns` gives them; `audio.path` is a field of an object.

    Raises BadUtterance if the row has a field of such a name already.
    """
    row = dict(fields)
    found = {name: value for name, own in parse_columns(columns).items() if (value := take(row, own)) is not None}
    if repeated := found.keys() & row.keys():
        raise BadUtterance("BAD_ROW", f"has {', '.join(sorted(repeated))} as well: give it another name, too")
    return found | row


def take(row: dict[str, Any], name: str) -> Any:
    """Remove a field from the row and return it; one inside of an object stays. None if there is none."""
    if name in row:
        return row.pop(name)
    outer, dot, inner = name.partition(".")
    value = row.get(outer)
    return take(dict(value), inner) if dot and isinstance(value, dict) else None


def name_columns(header: Iterable[str], columns: str) -> list[str]:
    """Return the names of a table's columns: what `--columns` calls them, or the only usual other name of a field.

    Raises ValueError if a column is missing, or if two have the same name.
    """
    header = list(header)
    named = {own: name for name, own in parse_columns(columns).items()}
    if missing := sorted(named.keys() - set(header)):
        raise ValueError(f"no column {', '.join(missing)}; there are {', '.join(header)}")
    for name, aliases in USUAL.items():
        own = first_of(aliases, header)
        if own and own not in named and name not in named.values() and name not in header:
            named[own] = name
    names = [named.get(own, own) for own in header]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two columns would be called {', '.join(repeated)}: give the other one a name with --columns")
    return names
