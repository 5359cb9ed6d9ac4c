"""The columns that rules may name, and the types of what they compare: number, text or boolean."""

import re
import sys
from typing import Any

import pyarrow as pa

from winnow.listening.registry import measure_of
from winnow.roles import ENSEMBLE, Role, band_of
from winnow.rules.rule import ORDERING, WHOLE_RUN, Rule, Term, terms
from winnow.schema import AGREEMENT, BEFORE_FILTER, EVIDENCE, HYPOTHESIS, INPUT_TEXT, INTERNAL, REVIEW, SCORES
from winnow.text.text_stats import TEXT_STATS

NOT_IN_RULES = INTERNAL | {"reason", "detail", "mended"}
"""Columns that rules cannot name."""

ARROW_TYPES = {"number": pa.float64(), "text": pa.string(), "boolean": pa.bool_()}


def type_of(arrow: pa.DataType) -> str | None:
    """Return number, text or boolean; None for types that rules cannot compare."""
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow):
        return "number"
    return {pa.string(): "text", pa.bool_(): "boolean"}.get(arrow)


HYPOTHESIS_COLUMNS = {
    name: arrow for name, arrow in (HYPOTHESIS | SCORES | AGREEMENT).items() if type_of(arrow) and name != "model"
}
"""The columns of each model's hypothesis (after its role and _) and, without a role, of the selected one."""

RULE_COLUMNS = {
    **{field.name: kind for field in BEFORE_FILTER if field.name not in NOT_IN_RULES and (kind := type_of(field.type))},
    **{name: str(type_of(arrow)) for name, arrow in HYPOTHESIS_COLUMNS.items()},
    **{"char_rate": "number", "word_rate": "number", "model": "text", "last_band": "text", INPUT_TEXT: "text"},
    **dict.fromkeys(REVIEW, "text"),
    "supported": "boolean",
}
"""Winnow's own columns that a rule may name, with their types; those of each model's hypothesis come in addition."""

HYPOTHESIS_COLUMN = re.compile(rf"(small|large\d*|model\d+|{ENSEMBLE})_(\w+)")

EARLIER_GAP = re.compile(r"(large\d*)_(?:small|large\d*)_gap")
"""The columns with what a larger model makes of the hypotheses before its own."""

INTEGER = re.compile("[+-]?[0-9]{1,15}")


def column_type(column: str) -> str | None:
    """Return the type of one of Winnow's columns; None for a field of the manifest."""
    match = HYPOTHESIS_COLUMN.fullmatch(column)
    if match and match[2] in HYPOTHESIS_COLUMNS:
        return type_of(HYPOTHESIS_COLUMNS[match[2]])
    return "number" if EARLIER_GAP.fullmatch(column) else RULE_COLUMNS.get(column)


def role_of_column(column: str) -> str | None:
    """Return the role of the model whose hypothesis a column is about; None for any other column."""
    if match := EARLIER_GAP.fullmatch(column):
        return match[1]
    match = HYPOTHESIS_COLUMN.fullmatch(column)
    return match[1] if match and match[2] in HYPOTHESIS_COLUMNS else None


def without_role(column: str) -> str:
    """Return the name of a column without its role."""
    match = HYPOTHESIS_COLUMN.fullmatch(column)
    return match[2] if match else column


def compares_texts(rule: Rule) -> bool:
    """Return whether a rule needs a reference: it compares a hypothesis with it, or references with each other."""
    compared = SCORES.keys() | EVIDENCE.keys()
    return any(term.stat in WHOLE_RUN or without_role(term.column) in compared for term in terms([rule]))


def compared_type(rule: Rule) -> str:
    """Return the type that a rule compares: number, text or boolean.

    `any` is that of two equal fields of the manifest, and of a field in a list of integers, which may be texts.
    """
    match rule.value:
        case Term():
            known = [kind for term in (rule.term, rule.value) if (kind := term_type(term))]
            return known[0] if known else "number" if rule.operator in ORDERING else "any"
        case bool():
            return "boolean"
        case float() | (float(), float()):
            return "number"
        case tuple() as members if all(INTEGER.fullmatch(str(member)) for member in members):
            return {"number": "number", None: "any"}.get(term_type(rule.term), "text")
    return "text"


def is_counted(term: Term) -> bool:
    """Return whether a term is a column of integers, which a list can name one by one."""
    kinds = {field.name: field.type for field in BEFORE_FILTER} | HYPOTHESIS_COLUMNS
    kind = kinds.get(term.column) or HYPOTHESIS_COLUMNS.get(without_role(term.column))
    return term.stat is None and kind is not None and pa.types.is_integer(kind)


def term_type(term: Term) -> str | None:
    """Return the type of a term; None for a field of the manifest, which may have any."""
    if term.stat is not None:
        return TEXT_STATS[term.stat].type if term.stat in TEXT_STATS else None
    return column_type(term.column)


def columns_of(term: Term, roles: list[Role]) -> set[str]:
    """Return the columns from which a term is computed, in a shard with hypotheses of these roles.

    What a measure finds is in a column of its own, or in a field of the manifest.
    """
    if term.stat in WHOLE_RUN:
        return set()
    if term.stat is not None:
        return {"duration"} | columns_of(Term(term.column), roles)
    if term.column in HYPOTHESIS_COLUMNS:
        return {f"{role}_{term.column}" for role in roles}
    derived = {
        "char_rate": {"text", "duration"},
        "word_rate": {"text", "duration"},
        "model": {"model", f"{roles[0]}_pred_text"},
        "last_band": {band_of(role) for role in roles},
        "supported": {"fields", "model", *(f"{role}_{name}" for role in roles for name in ("doubt", "pred_text"))},
    }
    own = {term.column} if column_type(term.column) else {"fields"}
    heard = {term.column} if measure_of(term.column) else set[str]()
    return derived.get(term.column, own | heard)


def as_type(value: Any, kind: str) -> Any:
    """Return a field's value if it has this type, else None; as a text for `any`."""
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and kind != "text":
        number = None if abs(value) > sys.float_info.max else float(value)
        return number if kind == "number" or number is None else repr(number)
    if kind == "any" and isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) and kind != "number" else None
