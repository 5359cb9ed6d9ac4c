"""Columns of measures that rules may compare though the manifest has none of this name."""

from collections.abc import Iterable

from winnow.listening.registry import MEASURES, columns_of, measure_of
from winnow.rules.columns import type_of
from winnow.schema import HEARD_TYPES


def measurable_columns() -> set[str]:
    """Return the columns of all measures whose packages are installed."""
    return {
        column.name for measure in MEASURES.values() if measure.missing_package() is None for column in measure.columns
    }


def can_be_heard(column: str, kind: str) -> bool:
    """Tell whether a measure has a column of this type: number, text or boolean; `any` is that of an unknown field."""
    measure = measure_of(column)
    own = {entry.name: type_of(HEARD_TYPES[entry.kind]) for entry in columns_of([measure] if measure else [])}
    return column in own and kind in ("any", own[column])


def measure_hint(columns: Iterable[str]) -> str:
    """Say how the first of these columns could be measured; nothing if there is none."""
    for measure in filter(None, map(measure_of, columns)):
        if package := MEASURES[measure].missing_package():
            return f"; to measure it, which requires {package}, install winnow[{MEASURES[measure].extra}]"
        return f"; only the filter of a run that measures it can compare it: winnow refilter RUN --listen {measure}"
    return ""
