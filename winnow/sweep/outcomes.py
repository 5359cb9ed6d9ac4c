"""What rules say of a finished run's utterances, from the readings that it keeps: in arrays, without their texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.errors import OutputError
from winnow.roles import Role, band_of
from winnow.rules.duplicates import count_duplicates, hash_references
from winnow.rules.evaluate import applies_to, evaluate
from winnow.rules.operands import Operands, columns_of
from winnow.rules.rule import ORDERING, Rule, Rules, Term, terms
from winnow.runs import ledger
from winnow.runs.run_record import load_settings
from winnow.runs.storage import read_columns, read_schema
from winnow.schema import roles_of, select_columns
from winnow.text.normalize import Normalizer

COUNTS = ("substitutions", "deletions", "insertions", "hits")
ALWAYS = {"reason", "duration"}

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """Of the utterances that were heard: seconds, wrong words and words of the reference, which rules they break, and
    what each rule with a limit compares, in the order of the rules (nan where that is unknown; where the rule is not
    asked, an infinity within any limit)."""

    rules: list[Rule]
    seconds: Numbers
    wrong: Numbers
    words: Numbers
    violations: Flags
    values: dict[int, Numbers]

    @property
    def kept(self) -> Flags:
        return np.asarray(~self.violations.any(axis=1))

    def kept_without(self, rule: Rule) -> Flags:
        """What would be kept without this rule."""
        others = [column for column, other in enumerate(self.rules) if other != rule]
        return np.asarray(~self.violations[:, others].any(axis=1))

    def of(self, rows: Flags) -> "Subset":
        wrong, words = self.wrong[rows].sum(), self.words[rows].sum()
        return Subset(int(rows.sum()), float(self.seconds[rows].sum()) / 3600, wrong / words if words else None)


@dataclass(frozen=True)
class Subset:
    """Some utterances, their hours, and their errors over all words of their references."""

    utterances: int
    hours: float
    wer: float | None


def has_limit(rule: Rule) -> bool:
    """Whether the rule has a limit that may be moved."""
    return rule.operator in ORDERING and isinstance(rule.value, float)


def run_stages(run: Path) -> dict[str, list[Path]]:
    """The files of a finished run by stage; `score` are those of the last one before they were judged."""
    if not (run / "_SUCCESS.json").exists():
        raise OutputError(f"{run}: no run that came to its end: finish it with winnow resume")
    found = ledger.files_by_stage(run)
    last = found.get(f"score-{load_settings(run).roles[-1]}", [])
    if not len({ledger.name_of(file) for file in last}) == len(last) == len(found["load"]):
        raise OutputError(f"{run}: {len(last)} files of readings, and not one for each of {len(found['load'])} shards")
    return found | {"score": last}


def kept_by_run(stages: dict[str, list[Path]]) -> Flags:
    """Which of the utterances that were heard the run keeps, in the order of its evidence."""
    tables = [read_columns(file, ["decision"]) for file in stages["filter"]]
    decisions = pa.concat_tables(tables)["decision"]
    return np.asarray(pc.equal(decisions.filter(pc.not_equal(decisions, "quarantine")), "keep"))


def gather_outcomes(stages: dict[str, list[Path]], rules: Rules, normalizer: Normalizer) -> Outcomes:
    """Shard by shard, so that no more than one is in memory with its texts."""
    asked, roles = rules.parsed, roles_of(read_schema(stages["score"][0]))
    wanted = [*terms(asked), *map(Term, COUNTS), *map(Term, ("pred_text", "wer") if rules.labels else ())]
    columns = ALWAYS.union(*(columns_of(term, roles) for term in wanted))
    columns |= {band_of(role) for role in roles} | {f"{role}_pred_text" for role in roles[1:]}
    parts = [
        outcomes_of(read_shard_columns(shard, columns, roles), rules, again)
        for shard, again in zip(stages["score"], duplicates_by_shard(stages["load"], rules, normalizer), strict=True)
    ]
    values = {
        at: np.concatenate([part.values[at] for part in parts]) for at, rule in enumerate(asked) if has_limit(rule)
    }
    seconds, wrong, words = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("seconds", "wrong", "words")
    )
    return Outcomes(asked, seconds, wrong, words, np.concatenate([part.violations for part in parts]), values)


def duplicates_by_shard(shards: list[Path], rules: Rules, normalizer: Normalizer) -> Iterator[pa.Table | None]:
    """How often the references of each shard are in the run, if a rule asks: as they were before they were heard."""
    if not rules.needs_whole_run:
        return iter([None] * len(shards))
    return count_duplicates(hash_references(read_columns(shard, ["text", "reason"]), normalizer) for shard in shards)


def read_shard_columns(shard: Path, columns: set[str], roles: list[Role]) -> pa.Table:
    """These columns of a shard; null in the texts of readings that are not among them."""
    there = read_columns(shard, columns)
    texts = {f"{role}_pred_text": pa.string() for role in roles}
    return select_columns(there, pa.schema(texts | {field.name: field.type for field in there.schema}))


def outcomes_of(rows: pa.Table, rules: Rules, again: pa.Table | None) -> Outcomes:
    values = Operands(rows, rules, again)
    heard = rows["reason"].is_null().to_numpy()
    asked = rules.parsed
    counts = {name: to_floats(values.of(Term(name), "number"), 0.0)[heard] for name in COUNTS}
    wrong = counts["substitutions"] + counts["deletions"] + counts["insertions"]
    return Outcomes(
        rules=asked,
        seconds=to_floats(rows["duration"], 0.0)[heard],
        wrong=wrong,
        words=counts["hits"] + counts["substitutions"] + counts["deletions"],
        violations=evaluate(rules, values)[heard],
        values={
            at: np.where(mine, to_floats(values.of(rule.term, "number"), np.nan), within_any_limit(rule))[heard]
            for at, (rule, mine) in enumerate(zip(asked, applies_to(rules, values), strict=True))
            if has_limit(rule)
        },
    )


def within_any_limit(rule: Rule) -> float:
    """What keeps the rule, whatever its limit."""
    return -np.inf if rule.operator in ("<", "<=") else np.inf


def to_floats(column: pa.ChunkedArray | pa.Array, unknown: float) -> Numbers:
    found: Numbers = np.asarray(column.cast(pa.float64()).fill_null(unknown), np.float64)
    return found
