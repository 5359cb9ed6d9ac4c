"""What rules say of a finished run's utterances, from the readings that it keeps: in arrays, without their texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.rules.repeats import hashed, repeats
from tasks.rules.rule import ORDERING, Rule, Rules, Term, terms
from tasks.rules.values import Values, columns_of
from tasks.rules.verdicts import concerned, verdicts
from tasks.runs import ledger
from tasks.runs.output import asked_of
from tasks.runs.storage import BadOutput, read_columns, read_schema
from tasks.schema import Role, band_of, roles_of, with_columns
from tasks.texts.text import Normalizer

COUNTS = ("substitutions", "deletions", "insertions", "hits")
ALWAYS = {"reason", "duration"}

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence:
    """Of the utterances that were heard: seconds, wrong words and words of the reference, which rules they break, and
    what each rule with a limit compares, in the order of the rules (nan where that is unknown; where the rule is not
    asked, an infinity within any limit)."""

    rules: list[Rule]
    seconds: Numbers
    wrong: Numbers
    words: Numbers
    broken: Flags
    values: dict[int, Numbers]

    @property
    def kept(self) -> Flags:
        return np.asarray(~self.broken.any(axis=1))

    def kept_without(self, rule: Rule) -> Flags:
        """What would be kept without this rule."""
        others = [column for column, other in enumerate(self.rules) if other != rule]
        return np.asarray(~self.broken[:, others].any(axis=1))

    def of(self, rows: Flags) -> "Tally":
        wrong, words = self.wrong[rows].sum(), self.words[rows].sum()
        return Tally(int(rows.sum()), float(self.seconds[rows].sum()) / 3600, wrong / words if words else None)


@dataclass(frozen=True)
class Tally:
    """Some utterances, their hours, and their errors over all words of their references."""

    utterances: int
    hours: float
    wer: float | None


def limited(rule: Rule) -> bool:
    """Whether the rule has a limit that may be moved."""
    return rule.operator in ORDERING and isinstance(rule.value, float)


def stages_of(run: Path) -> dict[str, list[Path]]:
    """The files of a finished run by stage; `scored` are those of the last one before they were judged."""
    if not (run / "_SUCCESS.json").exists():
        raise BadOutput(f"{run}: no run that came to its end: finish it with winnow resume")
    found = ledger.files_by_stage(run)
    last = found.get(f"{asked_of(run).roles[-1]}-scored", [])
    if not len({ledger.name_of(file) for file in last}) == len(last) == len(found["shards"]):
        raise BadOutput(f"{run}: {len(last)} files of readings, and not one for each of {len(found['shards'])} shards")
    return found | {"scored": last}


def kept_before(stages: dict[str, list[Path]]) -> Flags:
    """Which of the utterances that were heard the run keeps, in the order of its evidence."""
    tables = [read_columns(file, ["decision"]) for file in stages["judged"]]
    decisions = pa.concat_tables(tables)["decision"]
    return np.asarray(pc.equal(decisions.filter(pc.not_equal(decisions, "quarantine")), "keep"))


def gather(stages: dict[str, list[Path]], rules: Rules, normalizer: Normalizer) -> Evidence:
    """Shard by shard, so that no more than one is in memory with its texts."""
    asked, roles = rules.parsed, roles_of(read_schema(stages["scored"][0]))
    wanted = [*terms(asked), *map(Term, COUNTS), *map(Term, ("pred_text", "wer") if rules.labels else ())]
    columns = ALWAYS.union(*(columns_of(term, roles) for term in wanted))
    columns |= {band_of(role) for role in roles} | {f"{role}_pred_text" for role in roles[1:]}
    parts = [
        weighed(read(shard, columns, roles), rules, again)
        for shard, again in zip(stages["scored"], counted(stages["shards"], rules, normalizer), strict=True)
    ]
    values = {at: np.concatenate([part.values[at] for part in parts]) for at, rule in enumerate(asked) if limited(rule)}
    seconds, wrong, words = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("seconds", "wrong", "words")
    )
    return Evidence(asked, seconds, wrong, words, np.concatenate([part.broken for part in parts]), values)


def counted(shards: list[Path], rules: Rules, normalizer: Normalizer) -> Iterator[pa.Table | None]:
    """How often the references of each shard are in the run, if a rule asks: as they were before they were heard."""
    if not rules.over_the_run:
        return iter([None] * len(shards))
    return repeats(hashed(read_columns(shard, ["text", "reason"]), normalizer) for shard in shards)


def read(shard: Path, columns: set[str], roles: list[Role]) -> pa.Table:
    """These columns of a shard; null in the texts of readings that are not among them."""
    there = read_columns(shard, columns)
    texts = {f"{role}_pred_text": pa.string() for role in roles}
    return with_columns(there, pa.schema(texts | {field.name: field.type for field in there.schema}))


def weighed(rows: pa.Table, rules: Rules, again: pa.Table | None) -> Evidence:
    values = Values(rows, rules, again)
    heard = rows["reason"].is_null().to_numpy()
    asked = rules.parsed
    counts = {name: floats(values.of(Term(name), "number"), 0.0)[heard] for name in COUNTS}
    wrong = counts["substitutions"] + counts["deletions"] + counts["insertions"]
    return Evidence(
        rules=asked,
        seconds=floats(rows["duration"], 0.0)[heard],
        wrong=wrong,
        words=counts["hits"] + counts["substitutions"] + counts["deletions"],
        broken=verdicts(rules, values)[heard],
        values={
            at: np.where(mine, floats(values.of(rule.term, "number"), np.nan), within(rule))[heard]
            for at, (rule, mine) in enumerate(zip(asked, concerned(rules, values), strict=True))
            if limited(rule)
        },
    )


def within(rule: Rule) -> float:
    """What keeps the rule, whatever its limit."""
    return -np.inf if rule.operator in ("<", "<=") else np.inf


def floats(column: pa.ChunkedArray | pa.Array, unknown: float) -> Numbers:
    found: Numbers = np.asarray(column.cast(pa.float64()).fill_null(unknown), np.float64)
    return found
