"""What rules compare: columns of a shard, the manifest's own fields, and measures of texts, each found on demand."""

import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from tasks.measures import MEASURES
from tasks.rules import ORDERING, WHOLE_RUN, Rule, Term
from tasks.schema import BEFORE_RULES, JUDGED, READING, SCORES
from tasks.text import WORD, normalize

INTERNAL = {"path", "fields", "reason", "detail"}

ARROW = {"number": pa.float64(), "text": pa.string(), "boolean": pa.bool_()}


def kind_of(kind: pa.DataType) -> str | None:
    """number, text or boolean; nothing for what rules cannot compare."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return {pa.string(): "text", pa.bool_(): "boolean"}.get(kind)


COUNTED = {name: kind for name, kind in (READING | SCORES).items() if kind_of(kind)}
"""What there is of each reading, and so of the one that counts: the large model's where it read."""

OURS = {field.name: kind for field in BEFORE_RULES if field.name not in INTERNAL and (kind := kind_of(field.type))}
OURS |= {name: str(kind_of(kind)) for name, kind in COUNTED.items()}
OURS |= {"char_rate": "number", "word_rate": "number", "model": "text"}
"""The columns of ours that a rule may name, and what they hold."""


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
        return MEASURES[term.measure].kind if term.measure in MEASURES else None
    return OURS.get(term.column)


def columns_of(term: Term) -> set[str]:
    """The columns of a shard that a term is found from."""
    if term.measure in WHOLE_RUN:
        return set()
    if term.measure is not None:
        return {"duration"} | columns_of(Term(term.column))
    if term.column in COUNTED:
        return {f"{role}_{term.column}" for role in ("small", "large")}
    derived = {"char_rate": {"text", "duration"}, "word_rate": {"text", "duration"}, "model": {"small_pred_text"}}
    return derived.get(term.column, {term.column} if term.column in OURS else {"fields"})


def field_name(column: str) -> str:
    """The manifest's name of a field, which has `input_` before it where it is one of ours."""
    bare = column.removeprefix("input_")
    return bare if bare in JUDGED.names else column


def plain(value: Any, kind: str) -> Any:
    """A field's value if it is of that kind, else unknown; of any kind, as a text."""
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and kind != "text":
        number = None if abs(value) > sys.float_info.max else float(value)
        return number if kind == "number" or number is None else repr(number)
    if kind == "any" and isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) and kind != "number" else None


class Values:
    """Of a shard that was read and scored."""

    def __init__(self, rows: pa.Table, phrases: frozenset[str], repeats: pa.Table | None) -> None:
        self.rows, self.phrases, self.repeats = rows, phrases, repeats
        self.large = pc.is_valid(rows["large_pred_text"])
        self._found: dict[tuple[Term, str], Any] = {}

    def of(self, term: Term, kind: str) -> Any:
        """The values of a term, of that kind (or of `any`, to compare fields); null where there is none."""
        if (term, kind) not in self._found:
            self._found[term, kind] = self.measured(term) if term.measure else self.column(term.column, kind)
        return self._found[term, kind]

    def column(self, name: str, kind: str) -> Any:
        if name in COUNTED:
            return self.counted(name)
        if name == "model":
            return self.model
        if name in ("char_rate", "word_rate"):
            return self.measured(Term("text", name))
        if name in OURS:
            return self.rows[name]
        field = field_name(name)
        return pa.array([plain(row.get(field), kind) for row in self.fields], ARROW.get(kind, pa.string()))

    def counted(self, name: str) -> Any:
        return pc.if_else(self.large, self.rows[f"large_{name}"], self.rows[f"small_{name}"])

    @cached_property
    def model(self) -> Any:
        small = pc.is_valid(self.rows["small_pred_text"])
        return pc.if_else(self.large, "large", pc.if_else(small, "small", None))

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
                return each(texts, lambda text: normalize(text, "basic") in self.phrases, "boolean")
        measure = MEASURES[str(term.measure)]
        assert measure.of is not None
        return each(texts, measure.of(term.given or ""), measure.kind)


def each(texts: Any, measure: Callable[[str], Any], kind: str) -> pa.Array:
    return pa.array([None if text is None else measure(text) for text in texts.to_pylist()], ARROW[kind])
