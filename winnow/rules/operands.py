"""What rules compare: columns of a shard, the manifest's own fields, and measures of texts, each found on demand."""

import re
import sys
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.roles import ENSEMBLE, Role, band_of
from winnow.rules.rule import ORDERING, WHOLE_RUN, Rule, Rules, Term, terms
from winnow.schema import AGREEMENT, BEFORE_FILTER, FILTERED, HYPOTHESIS, SCORES, roles_of
from winnow.text.normalize import WORD, normalize
from winnow.text.text_stats import TEXT_STATS

INTERNAL = {"path", "fields", "reason", "detail", "audit"}

ARROW_TYPES = {"number": pa.float64(), "text": pa.string(), "boolean": pa.bool_()}


def kind_of(kind: pa.DataType) -> str | None:
    """number, text or boolean; nothing for what rules cannot compare."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return {pa.string(): "text", pa.bool_(): "boolean"}.get(kind)


HYPOTHESIS_COLUMNS = {
    name: kind for name, kind in (HYPOTHESIS | SCORES | AGREEMENT).items() if kind_of(kind) and name != "model"
}
"""What there is of each reading, and so of the one that counts."""

RULE_COLUMNS = {
    field.name: kind for field in BEFORE_FILTER if field.name not in INTERNAL and (kind := kind_of(field.type))
}
RULE_COLUMNS |= {name: str(kind_of(kind)) for name, kind in HYPOTHESIS_COLUMNS.items()}
RULE_COLUMNS |= {"char_rate": "number", "word_rate": "number", "model": "text", "last_band": "text"}
"""The columns of ours that a rule may name, and what they hold; beside these, those of each reading."""

OF_A_READING = re.compile(rf"((?:small|large|model|{ENSEMBLE})\d*)_(\w+)")


def column_kind(column: str) -> str | None:
    """What a column of ours holds; nothing if it is a field of the manifest."""
    found = OF_A_READING.fullmatch(column)
    return (
        kind_of(HYPOTHESIS_COLUMNS[found[2]]) if found and found[2] in HYPOTHESIS_COLUMNS else RULE_COLUMNS.get(column)
    )


def role_of_column(column: str) -> str | None:
    """Whose reading a column is of, if it is of one."""
    found = OF_A_READING.fullmatch(column)
    return found[1] if found and found[2] in HYPOTHESIS_COLUMNS else None


def compares_texts(rule: Rule) -> bool:
    """Whether the rule compares a reading with the reference, or references with each other."""
    return any(term.measure in WHOLE_RUN or without_role(term.column) in SCORES for term in terms([rule]))


def without_role(column: str) -> str:
    found = OF_A_READING.fullmatch(column)
    return found[2] if found else column


def kind_asked(rule: Rule) -> str:
    """What a rule compares: number, text or boolean; `any` for two fields of the manifest that must be alike."""
    match rule.value:
        case Term():
            known = [kind for term in (rule.term, rule.value) if (kind := kind_known(term))]
            return known[0] if known else "number" if rule.operator in ORDERING else "any"
        case bool():
            return "boolean"
        case float() | (float(), float()):
            return "number"
    return "text"


def kind_known(term: Term) -> str | None:
    """What a term is, whatever the manifest."""
    if term.measure is not None:
        return TEXT_STATS[term.measure].kind if term.measure in TEXT_STATS else None
    return column_kind(term.column)


def columns_of(term: Term, roles: list[Role]) -> set[str]:
    """The columns of a shard with these readings that a term is found from."""
    if term.measure in WHOLE_RUN:
        return set()
    if term.measure is not None:
        return {"duration"} | columns_of(Term(term.column), roles)
    if term.column in HYPOTHESIS_COLUMNS:
        return {f"{role}_{term.column}" for role in roles}
    derived = {
        "char_rate": {"text", "duration"},
        "word_rate": {"text", "duration"},
        "model": {"model", f"{roles[0]}_pred_text"},
        "last_band": {band_of(role) for role in roles},
    }
    return derived.get(term.column, {term.column} if column_kind(term.column) else {"fields"})


def field_name(column: str) -> str:
    """The manifest's name of a field, which has `input_` before it where it is one of ours."""
    bare = column.removeprefix("input_")
    return bare if bare in FILTERED.names or bare in RULE_COLUMNS else column


def as_kind(value: Any, kind: str) -> Any:
    """A field's value if it is of that kind, else unknown; of any kind, as a text."""
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and kind != "text":
        number = None if abs(value) > sys.float_info.max else float(value)
        return number if kind == "number" or number is None else repr(number)
    if kind == "any" and isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) and kind != "number" else None


class Operands:
    """Of a shard that was read and scored. The text of a row without a reference is the reading that counts."""

    def __init__(self, rows: pa.Table, rules: Rules, repeats: pa.Table | None = None) -> None:
        self.rows, self.repeats = rows, repeats
        self.phrases, self.labelling = frozenset(rules.phrases), bool(rules.labels)
        self._found: dict[tuple[Term, str], Any] = {}

    def of(self, term: Term, kind: str) -> Any:
        """The values of a term, of that kind (or of `any`, to compare fields); null where there is none."""
        if (term, kind) not in self._found:
            self._found[term, kind] = self.measured(term) if term.measure else self.column(term.column, kind)
        return self._found[term, kind]

    def column(self, name: str, kind: str) -> Any:
        if name in HYPOTHESIS_COLUMNS:
            return self.counted(name)
        if name == "model":
            return self.model
        if name == "last_band":
            return pc.coalesce(*(self.stored(band_of(role), pa.string()) for role in reversed(self.roles)))
        if name in ("char_rate", "word_rate"):
            return self.measured(Term("text", name))
        if name == "text" and self.labelling:
            return pc.if_else(pa.array(self.compared), self.rows["text"], self.counted("pred_text"))
        if own := column_kind(name):
            found = self.stored(name, ARROW_TYPES[own])
            asked = self.larger.get(role_of_column(name) or "")
            return found if asked is None else pc.if_else(asked, found, None)  # an audit decides nothing
        field = field_name(name)
        return pa.array([as_kind(row.get(field), kind) for row in self.fields], ARROW_TYPES.get(kind, pa.string()))

    def counted(self, name: str) -> Any:
        """Of the reading that counts: the ensemble's, or that of the last model of the cascade."""
        if ENSEMBLE in self.roles:
            return self.stored(f"{ENSEMBLE}_{name}", HYPOTHESIS_COLUMNS[name])
        found = self.stored(f"{self.roles[0]}_{name}", HYPOTHESIS_COLUMNS[name])
        for role, read in self.larger.items():
            found = pc.if_else(read, self.stored(f"{role}_{name}", HYPOTHESIS_COLUMNS[name]), found)
        return found

    def stored(self, name: str, kind: pa.DataType) -> Any:
        return self.rows[name] if name in self.rows.schema.names else pa.nulls(len(self.rows), kind)

    @cached_property
    def roles(self) -> list[str]:
        return roles_of(self.rows.schema)

    @cached_property
    def larger(self) -> dict[Role, Any]:
        """What each larger model read because the gate asked; what else it read was an audit."""
        found = {}
        for before, role in pairwise(self.roles):
            asked = pc.equal(self.stored(band_of(before), pa.string()), "escalate")
            found[role] = pc.and_(pc.is_valid(self.rows[f"{role}_pred_text"]), pc.fill_null(asked, True))
        return found

    @cached_property
    def model(self) -> Any:
        """Whose reading counts."""
        if "model" in self.rows.schema.names:
            return self.rows["model"]
        found = pc.if_else(pc.is_valid(self.rows[f"{self.roles[0]}_pred_text"]), self.roles[0], None)
        for role, read in self.larger.items():
            found = pc.if_else(read, role, found)
        return found

    @cached_property
    def compared(self) -> NDArray[np.bool_]:
        """Which rows are compared with a reference: all, unless there may be some without."""
        if not self.labelling:
            return np.ones(len(self.rows), bool)
        return np.asarray(pc.is_valid(self.counted("wer")), bool)

    @cached_property
    def fields(self) -> list[dict[str, Any]]:
        """The manifest's own fields of each row."""
        return [msgspec.json.decode(row) if row else {} for row in self.rows["fields"].to_pylist()]

    def measured(self, term: Term) -> Any:
        if term.measure in WHOLE_RUN:
            assert self.repeats is not None, f"texts are counted before {term} is asked for"
            return self.repeats[term.measure]
        texts = self.of(Term(term.column), "text")
        match term.measure:
            case "chars":
                return pc.utf8_length(pc.utf8_trim_whitespace(texts))
            case "words":
                return pc.count_substring_regex(texts, WORD)
            case "char_rate" | "word_rate":
                counted = self.of(Term(term.column, term.measure.replace("_rate", "s")), "number")
                return pc.divide(pc.cast(counted, pa.float64()), self.rows["duration"])
            case "known_phrase":
                return map_texts(texts, lambda text: normalize(text, "basic") in self.phrases, "boolean")
        measure = TEXT_STATS[str(term.measure)]
        assert measure.of is not None
        return map_texts(texts, measure.of(term.given or ""), measure.kind)


def map_texts(texts: Any, measure: Callable[[str], Any], kind: str) -> pa.Array:
    return pa.array([None if text is None else measure(text) for text in texts.to_pylist()], ARROW_TYPES[kind])
