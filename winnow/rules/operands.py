"""The values that rules compare: columns of a shard, fields of the manifest and text statistics, computed on demand."""

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.listening.registry import measure_of
from winnow.roles import ENSEMBLE, Role, band_of
from winnow.rules.columns import ARROW_TYPES, HYPOTHESIS_COLUMNS, as_type, column_type, role_of_column
from winnow.rules.field_names import field_of
from winnow.rules.rule import WHOLE_RUN, Rules, Term
from winnow.schema import roles_of
from winnow.text.basic import TURKIC, with_dots
from winnow.text.languages import base_language, of_languages, row_languages, split_by_language
from winnow.text.normalize import normalize
from winnow.text.text_stats import TEXT_STATS
from winnow.text.words import SPACE_AFTER, SPACE_BEFORE, WORD


class Operands:
    """The values of rules' terms in a transcribed and scored shard, each computed once.

    The text of a row without a reference is the selected hypothesis.
    """

    def __init__(self, rows: pa.Table, rules: Rules, duplicates: pa.Table | None = None) -> None:
        self.rows, self.duplicates = rows, duplicates
        self.phrases, self.may_lack_reference = frozenset(rules.phrases), bool(rules.unreferenced)
        self.doubt_limits = rules.doubt_limits
        self._values: dict[tuple[Term, str], Any] = {}

    def of(self, term: Term, kind: str) -> Any:
        """Return a term's values as number, text or boolean (`any`: as comparable fields); null where unknown."""
        if (term, kind) not in self._values:
            self._values[term, kind] = self.text_stat(term) if term.stat else self.column(term.column, kind)
        return self._values[term, kind]

    def column(self, name: str, kind: str) -> Any:
        """Return a column of Winnow's, of a measure, or a field of the manifest, in this order."""
        if name in HYPOTHESIS_COLUMNS:
            return self.selected(name)
        if name == "model":
            return self.model
        if name == "last_band":
            return pc.coalesce(*(self.stored(band_of(role), pa.string()) for role in reversed(self.roles)))
        if name == "supported":
            return self.supported
        if name in ("char_rate", "word_rate"):
            return self.text_stat(Term("text", name))
        if name == "text" and self.may_lack_reference:
            return pc.if_else(pa.array(self.referenced), self.rows["text"], self.selected("pred_text"))
        if own_type := column_type(name):
            values = self.stored(name, ARROW_TYPES[own_type])
            escalated = self.escalated.get(role_of_column(name) or "")
            return values if escalated is None else pc.if_else(escalated, values, None)  # an audit decides nothing
        if measure_of(name) and name in self.rows.schema.names:
            values = self.rows[name].to_pylist()
            return pa.array([as_type(value, kind) for value in values], ARROW_TYPES.get(kind, pa.string()))
        field = field_of(name) or name
        return pa.array([as_type(row.get(field), kind) for row in self.fields], ARROW_TYPES.get(kind, pa.string()))

    def selected(self, name: str) -> Any:
        """Return a column of the selected hypothesis: the ensemble's, or that of the cascade's last model."""
        if ENSEMBLE in self.roles:
            return self.stored(f"{ENSEMBLE}_{name}", HYPOTHESIS_COLUMNS[name])
        values = self.stored(f"{self.roles[0]}_{name}", HYPOTHESIS_COLUMNS[name])
        for role, escalated in self.escalated.items():
            values = pc.if_else(escalated, self.stored(f"{role}_{name}", HYPOTHESIS_COLUMNS[name]), values)
        return values

    def stored(self, name: str, kind: pa.DataType) -> Any:
        """Return a column of the shard; null if it has none of this name."""
        return self.rows[name] if name in self.rows.schema.names else pa.nulls(len(self.rows), kind)

    @cached_property
    def roles(self) -> list[Role]:
        """The roles of the shard's hypotheses."""
        return roles_of(self.rows.schema)

    @cached_property
    def escalated(self) -> dict[Role, Any]:
        """For each larger model, the rows that it transcribed because the gate escalated them, not as an audit."""
        rows = {}
        for before, role in pairwise(self.roles):
            escalated = pc.equal(self.stored(band_of(before), pa.string()), "escalate")
            rows[role] = pc.and_(pc.is_valid(self.rows[f"{role}_pred_text"]), pc.fill_null(escalated, True))
        return rows

    @cached_property
    def read(self) -> dict[Role, NDArray[np.bool_]]:
        """For each model that scores references, the rows whose decision its hypothesis has a part in."""
        scoring = [role for role in self.roles if f"{role}_gap" in self.rows.schema.names]
        own = {role: pc.is_valid(self.rows[f"{role}_pred_text"]) for role in scoring}
        return {role: np.asarray(rows, bool) for role, rows in (own | self.escalated).items() if role in own}

    @cached_property
    def model(self) -> Any:
        """The role of the model whose hypothesis is selected."""
        if "model" in self.rows.schema.names:
            return self.rows["model"]
        roles = pc.if_else(pc.is_valid(self.rows[f"{self.roles[0]}_pred_text"]), self.roles[0], None)
        for role, escalated in self.escalated.items():
            roles = pc.if_else(escalated, role, roles)
        return roles

    @cached_property
    def supported(self) -> Any:
        """Whether the doubt about the reference is within the limit of the model that decides; null if unknown."""
        supported = pa.nulls(len(self.rows), pa.bool_())
        for role, limits in split_by_language(self.doubt_limits).items():
            decides = pc.fill_null(pc.equal(self.model, role), False)
            tags = row_languages(self.rows["fields"].to_pylist()) if len(limits) > 1 else [None] * len(self.rows)
            own = pa.array(of_languages(limits, tags), pa.float64())
            supported = pc.if_else(decides, pc.less_equal(self.selected("doubt"), own), supported)
        return supported

    @cached_property
    def without_evidence(self) -> NDArray[np.bool_]:
        """The rows whose reference no limit of doubt judges."""
        return np.asarray(pc.is_null(self.supported), bool)

    @cached_property
    def referenced(self) -> NDArray[np.bool_]:
        """The rows with a reference: all rows, unless references are optional."""
        if not self.may_lack_reference:
            return np.ones(len(self.rows), bool)
        return np.asarray(pc.is_valid(self.selected("wer")), bool)

    @cached_property
    def fields(self) -> list[dict[str, Any]]:
        """The manifest's other fields of each row."""
        return [msgspec.json.decode(row) if row else {} for row in self.rows["fields"].to_pylist()]

    def text_stat(self, term: Term) -> Any:
        """Return a statistic of a text column."""
        if term.stat in WHOLE_RUN:
            assert self.duplicates is not None, f"{term} needs the duplicates of the run"
            return self.duplicates[term.stat]
        texts = self.of(Term(term.column), "text")
        match term.stat:
            case "chars":
                return count_characters(texts)
            case "words":
                return pc.count_substring_regex(texts, WORD)
            case "char_rate" | "word_rate":
                counts = self.of(Term(term.column, term.stat.replace("_rate", "s")), "number")
                return pc.divide(pc.cast(counts, pa.float64()), self.rows["duration"])
            case "known_phrase":
                return self.are_known_phrases(texts)
        stat = TEXT_STATS[str(term.stat)]
        assert stat.measure is not None
        return map_texts(texts, stat.measure(term.argument or ""), stat.type)

    def are_known_phrases(self, texts: Any) -> pa.Array:
        """Return which texts are phrases of the list, whose language is not known: its I may be a Turkish ı."""
        dotted = frozenset(map(with_dots, self.phrases))

        def is_known(text: str, language: str | None) -> bool:
            words = normalize(text, "basic", language)
            return with_dots(words) in dotted if language in TURKIC else words in self.phrases

        languages = map(base_language, row_languages(self.rows["fields"].to_pylist()))
        known = zip(texts.to_pylist(), languages, strict=True)
        return pa.array([None if text is None else is_known(text, language) for text, language in known], pa.bool_())


def map_texts(texts: Any, measure: Callable[[str], Any], kind: str) -> pa.Array:
    """Measure each text; null stays null."""
    return pa.array([None if text is None else measure(text) for text in texts.to_pylist()], ARROW_TYPES[kind])


def count_characters(texts: Any) -> Any:
    """Return the length of each text, without spaces at its ends and beside characters of scripts without spaces."""
    if not pc.all(pc.string_is_ascii(texts)).as_py():
        for pattern in (SPACE_AFTER, SPACE_BEFORE):
            texts = pc.replace_substring_regex(texts, pattern, r"\1")
    return pc.utf8_length(pc.utf8_trim_whitespace(texts))
