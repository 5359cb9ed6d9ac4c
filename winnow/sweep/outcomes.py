"""What rules decide on the utterances of a complete run, from its stored hypotheses: arrays without texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.errors import OutputError
from winnow.listening.registry import measure_of
from winnow.roles import Role, band_of
from winnow.rules.columns import columns_of
from winnow.rules.duplicates import count_duplicates, hash_references
from winnow.rules.evaluate import applies_to, evaluate
from winnow.rules.operands import Operands
from winnow.rules.rule import ORDERING, Rule, Rules, Term, terms
from winnow.runs import ledger
from winnow.runs.completion import read_completion
from winnow.runs.references import read_references
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import read_columns, read_schema
from winnow.schema import roles_of, select_columns
from winnow.text.normalize import Normalizer

RELABEL = "relabel"
"""The stage of a relabelled run that has its texts and the scores of them."""

REVIEW = "review"
"""The stage of a run with the verdicts of reviewers, and with the texts that these wrote."""

COUNTS = ("substitutions", "deletions", "insertions", "hits")
ALWAYS = {"reason", "duration"}

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """The transcribed utterances of a run, judged by rules; every array has one entry or row per utterance.

    `wrong` and `words` count wrong words and words of the reference. `violations` has shape (utterances, rules).
    `values` holds, for the index of each rule with a limit, what it compares: nan if unknown, and an infinity within
    any limit where the rule does not apply. `verdicts` of people, which overrule all rules, are 1 for what is kept, -1
    for what is dropped, and 0 where there is none.
    """

    rules: list[Rule]
    seconds: Numbers
    wrong: Numbers
    words: Numbers
    violations: Flags
    values: dict[int, Numbers]
    verdicts: Numbers

    @property
    def kept(self) -> Flags:
        """What is kept: by people or, where these say nothing, by all rules."""
        return np.asarray(self.kept_by_people | (self.ruled & ~self.violations.any(axis=1)))

    @property
    def kept_by_people(self) -> Flags:
        return np.asarray(self.verdicts > 0)

    @property
    def ruled(self) -> Flags:
        """What rules decide about."""
        return np.asarray(self.verdicts == 0)

    def kept_without(self, rule: Rule) -> Flags:
        """Return what the rules would keep without this one."""
        others = [column for column, other in enumerate(self.rules) if other != rule]
        return np.asarray(self.ruled & ~self.violations[:, others].any(axis=1))

    def of(self, rows: Flags) -> "Subset":
        """Sum up some of the utterances."""
        wrong, words = self.wrong[rows].sum(), self.words[rows].sum()
        return Subset(int(rows.sum()), float(self.seconds[rows].sum()) / 3600, wrong / words if words else None)


@dataclass(frozen=True)
class Subset:
    """Some utterances: their number, hours of audio, and WER over all words of their references."""

    utterances: int
    hours: float
    wer: float | None


def has_limit(rule: Rule) -> bool:
    """Return whether the rule compares with a number, which can be varied."""
    return rule.operator in ORDERING and isinstance(rule.value, float)


def run_stages(run: Path) -> dict[str, list[Path]]:
    """Return the files of a complete run by stage, those of the last scores as `score`.

    That is the score stage of the last model or, in a relabelled run, `relabel`. What the rules judged is `judged`: the
    same, or with reviews and with what was measured besides. Raises OutputError.
    """
    read_completion(run)
    files = ledger.files_by_stage(run)
    last = RELABEL if RELABEL in files else f"score-{load_settings(run).roles[-1]}"
    scored, shards = files.get(last, []), len(files.get("load", []))
    if not len({ledger.name_of(file) for file in scored}) == len(scored) == shards > 0:
        raise OutputError(
            f"{run}: expected scores of {shards} shards, found {len(scored)} files: make them with winnow resume {run}"
        )
    return files | {"score": scored, "judged": files.get("relate") or files.get("listen") or files.get(REVIEW, scored)}


def heard_columns(stages: dict[str, list[Path]]) -> set[str]:
    """Return the columns of measures that the judged shards of a run have."""
    return {name for name in read_schema(stages["judged"][0]).names if measure_of(name)}


def kept_by_run(stages: dict[str, list[Path]]) -> Flags:
    """Return which transcribed utterances the run keeps, in the order of `gather_outcomes`."""
    return np.asarray(pc.equal(judged_column(stages, "decision"), "keep"))


def verdicts_of(stages: dict[str, list[Path]], count: int) -> Numbers:
    """Return the verdicts of a run on its transcribed utterances, of which there are so many, as `Outcomes` has them.

    A run that is made from it takes them over.
    """
    if REVIEW not in stages:
        return np.zeros(count)
    reviews = judged_column(stages, "review")
    return np.where(pc.is_null(reviews), 0.0, np.where(pc.fill_null(pc.equal(reviews, "drop"), False), -1.0, 1.0))


def judged_column(stages: dict[str, list[Path]], name: str) -> pa.ChunkedArray:
    """Read a column of the rows that the run judged."""
    rows = pa.concat_tables([read_columns(file, {"decision", name}) for file in stages["filter"]])
    return rows.filter(pc.not_equal(rows["decision"], "quarantine"))[name]


def gather_outcomes(stages: dict[str, list[Path]], rules: Rules, normalizer: Normalizer) -> Outcomes:
    """Judge a run by other rules and by its own verdicts, shard by shard: the texts of only one are in memory."""
    all_rules, roles = rules.all_rules, roles_of(read_schema(stages["judged"][0]))
    needed = [*terms(all_rules), *map(Term, COUNTS), *map(Term, ("pred_text", "wer") if rules.unreferenced else ())]
    columns = ALWAYS.union(*(columns_of(term, roles) for term in needed))
    columns |= {band_of(role) for role in roles} | {f"{role}_pred_text" for role in roles[1:]}
    parts = [
        shard_outcomes(read_shard_columns(shard, columns, roles), rules, duplicates)
        for shard, duplicates in zip(stages["judged"], duplicates_by_shard(stages, rules, normalizer), strict=True)
    ]
    values = {
        at: np.concatenate([part.values[at] for part in parts]) for at, rule in enumerate(all_rules) if has_limit(rule)
    }
    seconds, wrong, words = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("seconds", "wrong", "words")
    )
    violations = np.concatenate([part.violations for part in parts])
    return Outcomes(all_rules, seconds, wrong, words, violations, values, verdicts_of(stages, len(seconds)))


def duplicates_by_shard(
    stages: dict[str, list[Path]], rules: Rules, normalizer: Normalizer
) -> Iterator[pa.Table | None]:
    """Yield how often the references of each shard occur in the run; None for each shard if no rule needs it."""
    loaded = stages["load"]
    if not rules.needs_whole_run:
        return iter([None] * len(loaded))
    changed = stages.get(REVIEW) or stages.get(RELABEL)
    references = map(read_references, loaded, *([changed] if changed else []))
    return count_duplicates(hash_references(rows, normalizer) for rows in references)


def read_shard_columns(shard: Path, columns: set[str], roles: list[Role]) -> pa.Table:
    """Read columns of a shard; texts of hypotheses that are not among them are null."""
    rows = read_columns(shard, columns)
    texts = {f"{role}_pred_text": pa.string() for role in roles}
    return select_columns(rows, pa.schema(texts | {field.name: field.type for field in rows.schema}))


def shard_outcomes(rows: pa.Table, rules: Rules, duplicates: pa.Table | None) -> Outcomes:
    """Judge one shard; `duplicates` is needed if a rule compares an utterance with the whole run."""
    operands = Operands(rows, rules, duplicates)
    transcribed = rows["reason"].is_null().to_numpy()
    counts = {name: to_floats(operands.of(Term(name), "number"), 0.0)[transcribed] for name in COUNTS}
    wrong = counts["substitutions"] + counts["deletions"] + counts["insertions"]
    return Outcomes(
        rules=rules.all_rules,
        seconds=to_floats(rows["duration"], 0.0)[transcribed],
        wrong=wrong,
        words=counts["hits"] + counts["substitutions"] + counts["deletions"],
        violations=evaluate(rules, operands)[transcribed],
        values={
            at: np.where(applies, to_floats(operands.of(rule.term, "number"), np.nan), within_any_limit(rule))[
                transcribed
            ]
            for at, (rule, applies) in enumerate(zip(rules.all_rules, applies_to(rules, operands), strict=True))
            if has_limit(rule)
        },
        verdicts=np.zeros(int(transcribed.sum())),
    )


def within_any_limit(rule: Rule) -> float:
    """Return a value that satisfies the rule whatever its limit."""
    return -np.inf if rule.operator in ("<", "<=") else np.inf


def to_floats(column: pa.ChunkedArray | pa.Array, unknown: float) -> Numbers:
    """Return a column as 64-bit floats, with `unknown` for its nulls."""
    return np.asarray(column.cast(pa.float64()).fill_null(unknown), np.float64)
