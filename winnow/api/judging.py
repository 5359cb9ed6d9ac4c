"""Judge rows by rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pyarrow as pa

from winnow.errors import InputError, MissingColumns
from winnow.roles import ENSEMBLE, band_of
from winnow.rules.decisions import decide
from winnow.rules.duplicates import count_duplicates, hash_references
from winnow.rules.field_names import field_of
from winnow.rules.operands import Operands
from winnow.rules.rule import Rules, parse, terms
from winnow.schema import AGREEMENT, AUDIO_STATS, HYPOTHESIS, QUARANTINE_REASONS, SCORES, UTTERANCE, roles_of
from winnow.text.comparison import Comparison
from winnow.text.languages import language_tag
from winnow.text.metrics import all_scores
from winnow.text.normalize import MAX_TEXT, Normalizer, is_too_long, normalize
from winnow.validation.rules import check_rule

Columns = dict[str, list[Any]]

OF_A_MODEL = HYPOTHESIS | SCORES | AGREEMENT
DERIVED = {"char_rate", "word_rate", "last_band", "model"}


@dataclass(frozen=True)
class Decision:
    """The decision on a row: keep, drop or quarantine, and every reason why it is not kept.

    The reasons of a dropped row are the names of the rules that it violates, in the order of the rules; that of a
    quarantined row is the one that it came with.
    """

    decision: Literal["keep", "drop", "quarantine"]
    reasons: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        return self.decision == "keep"

    @property
    def reason(self) -> str | None:
        """The first reason; None for a kept row."""
        return self.reasons[0] if self.reasons else None


def judge(
    rows: pa.Table | Iterable[Mapping[str, Any]],
    rules: Iterable[str],
    *,
    normalizer: Normalizer = "basic",
    merge_compounds: bool = False,
    phrases: Iterable[str] = (),
) -> list[Decision]:
    """Judge each row by exactly these rules; return a decision for each, in order.

    A rule is a column, an operator and a value, such as `wer <= 0.25`, `duration in 1..20` or `lang == "en"`. Rows are
    those of a run (`open_run(…).data()`), or your own with `pred_text`, and `text` and `duration` if rules need them;
    WER, CER and the other scores are computed as by `score` if they are missing. `phrases` are for `known_phrase`.

    Raises `RuleError` for a rule that cannot be understood, and `MissingColumns` if the rows lack a column.
    """
    columns = _columns(rows)
    parsed = Rules(
        rules=tuple(str(rule) for text in rules for rule in parse(text)),
        phrases=tuple(sorted({normalize(phrase, "basic") for phrase in phrases})),
    )
    shard = _shard(columns, Comparison(normalizer, merge_compounds))
    for rule in parsed.all_rules:
        check_rule(rule, roles_of(shard.schema), phrases=bool(parsed.phrases))
    _check_columns(parsed, shard, columns)
    duplicates = next(count_duplicates([hash_references(shard, normalizer)])) if parsed.needs_whole_run else None
    decided = decide(parsed, Operands(shard, parsed, duplicates))
    rows_decided = zip(*(column.to_pylist() for column in decided), strict=True)
    return [Decision(decision, tuple(reasons or filter(None, [reason]))) for decision, reason, reasons in rows_decided]


def _columns(rows: pa.Table | Iterable[Mapping[str, Any]]) -> Columns:
    if isinstance(rows, pa.Table):
        columns: Columns = rows.to_pydict()
        return columns
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    return {name: [row.get(name) for row in listed] for name in names}


def _shard(columns: Columns, comparison: Comparison) -> pa.Table:
    """Arrange rows as a shard. Columns without a role, such as `pred_text`, become the small model's."""
    size = len(next(iter(columns.values()), []))
    roles = [name.removesuffix("_pred_text") for name in columns if name.endswith("_pred_text")]
    if not roles:
        columns = {f"small_{name}" if name in OF_A_MODEL else name: values for name, values in columns.items()}
        if "small_wer" not in columns and {"text", "small_pred_text"} <= columns.keys():
            columns |= _scores(columns, comparison)
        roles = ["small"] if "small_pred_text" in columns else []
    types = _types(roles)
    others = [name for name in columns if name not in types and name not in OF_A_MODEL]
    rows = [{field_of(name) or name: columns[name][i] for name in others} for i in range(size)]
    reasons = [reason if reason in QUARANTINE_REASONS else None for reason in columns.get("reason", [None] * size)]
    columns = columns | {"fields": _as_json(rows), "reason": reasons}
    try:
        return pa.table(
            {
                name: pa.array(columns.get(name, [None] * size), kind)
                for name, kind in types.items()
                if name in columns or name in UTTERANCE.names
            }
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"cannot judge the rows: {error}") from error


def _types(roles: list[str]) -> dict[str, pa.DataType]:
    """Return the types of the columns of a shard with the hypotheses of these roles."""
    types = {field.name: field.type for field in (*UTTERANCE, *AUDIO_STATS)}
    types |= {f"{role}_{name}": kind for role in roles for name, kind in OF_A_MODEL.items()}
    types |= {band_of(role): pa.string() for role in roles}
    return types | ({"model": pa.string()} if ENSEMBLE in roles else {})


def _scores(columns: Columns, comparison: Comparison) -> Columns:
    pairs = list(zip(columns["text"], columns["small_pred_text"], strict=True))
    for text in (text for pair in pairs for text in pair):
        if text is not None and is_too_long(text):
            raise InputError(f"a text of {len(text):,} characters cannot be scored: cut it below {MAX_TEXT:,}")
    languages = map(language_tag, columns.get("lang", [None] * len(pairs)))
    scores = [
        None if None in pair else all_scores(*pair, comparison, language)
        for pair, language in zip(pairs, languages, strict=True)
    ]
    return {f"small_{name}": [row and row[name] for row in scores] for name in SCORES}


def _as_json(rows: list[dict[str, Any]]) -> list[str]:
    try:
        return [msgspec.json.encode(row).decode() for row in rows]
    except (TypeError, msgspec.MsgspecError) as error:
        raise InputError(f"cannot judge the rows: a field has a value that JSON does not: {error}") from error


def _check_columns(rules: Rules, shard: pa.Table, given: Columns) -> None:
    """Raise unless the rows have every column that a rule compares."""
    names = {*shard.schema.names, *given} - ({*UTTERANCE.names} - {*given})
    names |= {name for name in OF_A_MODEL for role in roles_of(shard.schema) if f"{role}_{name}" in names}
    for rule in rules.all_rules:
        for term in terms([rule]):
            needed = {"text", "duration"} if term.column in ("char_rate", "word_rate") else {term.column}
            if missing := sorted(needed - names - {"model", "last_band"}):
                raise MissingColumns(f"rule {rule.condition!r}: the rows have no column {missing[0]!r}")
