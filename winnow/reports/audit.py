"""What a gate loses, estimated from accepted and rejected rows that the large model transcribed for the audit."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.gates.sampling import wilson_interval
from winnow.reports.counts import Amount, rows_where
from winnow.rules.evaluate import evaluate
from winnow.rules.operands import Operands
from winnow.rules.rule import WHOLE_RUN, Rule, Rules, terms
from winnow.schema import DECISION, replace_column


class Audit(BaseModel, frozen=True):
    """How the large model decides on audited utterances of one band.

    Of `utterances` audited rows, `wrong` would have been dropped (band accept, of those kept) or kept (band reject).
    `low` and `high` bound the share of such rows in the whole band and `hours` their duration, at 95 % confidence.
    """

    utterances: int
    wrong: int
    low: float
    high: float
    hours: tuple[float, float]


class AuditCounts:
    """Rows of a band and how the large model decides on those that are audited, added up.

    In band accept the kept rows are at stake, in band reject all of them.
    """

    def __init__(self, band: str) -> None:
        self.band, self.at_stake = band, Amount()
        self.audited = self.wrong = 0

    def add(self, rows: pa.Table) -> None:
        """Count the rows of the band in another shard."""
        at_stake = rows_where(rows, "decision", "keep") if self.band == "accept" else rows
        self.at_stake.add(at_stake)
        large_keeps = at_stake["large_keeps"].drop_null().to_pylist()
        self.audited += len(large_keeps)
        self.wrong += sum(keeps != (self.band == "accept") for keeps in large_keeps)

    @property
    def audit(self) -> Audit | None:
        """How many rows are decided wrongly, by estimate; None for escalate and for a band without rows."""
        if self.band == "escalate" or not self.at_stake.utterances:
            return None
        low, high = wilson_interval(self.wrong, self.audited)
        hours = low * self.at_stake.hours, high * self.at_stake.hours
        return Audit(utterances=self.audited, wrong=self.wrong, low=low, high=high, hours=hours)


def audit_decisions(judged: pa.Table, rules: Rules) -> pa.Array:
    """Decide by the large model's hypotheses whether audited rows would be kept; null for all other rows."""
    if "audit" not in judged.schema.names:
        return pa.nulls(len(judged), pa.bool_())
    audited = pc.and_(judged["audit"], pc.is_valid(judged["large_pred_text"])).to_numpy()
    rows = judged.filter(pa.array(audited))
    escalated = replace_column(rows, "band", ["escalate"] * len(rows)).drop_columns(list(DECISION))
    row_rules = rules.model_copy(update={"rules": split_rules(rules.general_rules, False)})
    dropped = evaluate(row_rules, Operands(escalated, row_rules)).any(axis=1) | violates_run_rules(rows, rules)
    keeps = np.zeros(len(judged), bool)
    keeps[audited] = ~dropped
    return pa.array(keeps, mask=~audited)


def split_rules(rules: list[Rule], needs_whole_run: bool) -> tuple[str, ...]:
    """Return the rules that compare an utterance with the whole run, or all others."""
    compares_run = {str(rule): any(term.stat in WHOLE_RUN for term in terms([rule])) for rule in rules}
    return tuple(rule for rule, whole_run in compares_run.items() if whole_run == needs_whole_run)


def violates_run_rules(rows: pa.Table, rules: Rules) -> np.ndarray:
    """Mark rows that violate a rule about the whole run; which hypothesis is selected does not change that."""
    names = {rule.name for rule in Rules(rules=split_rules(rules.general_rules, True)).general_rules}
    return np.array([bool(names.intersection(reasons or ())) for reasons in rows["reasons"].to_pylist()], bool)
