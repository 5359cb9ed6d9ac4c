"""How fields of the manifest are named beside Winnow's own columns, in every output and in rules.

A field with the name of a column gets `input_` before its name: what one run wrote as `wer` is `input_wer` in the
output of the next run that reads it, and `input_input_wer` in that of the one after. The name depends on nothing but
the field, so rules know it before the manifest is read.
"""

from collections.abc import Iterable

from winnow.rules.columns import EARLIER_GAP, HYPOTHESIS_COLUMN, RULE_COLUMNS
from winnow.schema import AGREEMENT, FILTERED, HYPOTHESIS, SCORES

PREFIX = "input_"

COLUMNS = {*FILTERED.names, *RULE_COLUMNS}
"""The columns of any run, besides those of models that have a number or vote."""

COLUMNS_OF_A_MODEL = {*HYPOTHESIS, *SCORES, *AGREEMENT, "band"}


def is_reserved(name: str) -> bool:
    """Return whether some run of Winnow's has, or rules have, a column of this name."""
    match = HYPOTHESIS_COLUMN.fullmatch(name)
    own = match is not None and match[2] in COLUMNS_OF_A_MODEL
    return own or name in COLUMNS or EARLIER_GAP.fullmatch(name) is not None


def collides(name: str) -> bool:
    """Return whether a name is that of a column, with or without prefixes."""
    while not is_reserved(name):
        if not name.startswith(PREFIX):
            return False
        name = name.removeprefix(PREFIX)
    return True


def output_name(field: str) -> str:
    """Return the name under which a field of the manifest comes out, and by which rules name it."""
    return PREFIX + field if collides(field) else field


def output_names(fields: Iterable[str]) -> dict[str, str]:
    """Return the name of each field in the output; no two fields get the same one."""
    return {field: output_name(field) for field in fields}


def field_of(column: str) -> str | None:
    """Return the field of the manifest that a column of the output holds; None for a column of Winnow's own."""
    if not collides(column):
        return column
    return None if is_reserved(column) else column.removeprefix(PREFIX)
