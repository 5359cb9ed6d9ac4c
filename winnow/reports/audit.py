"""What a gate loses: some of what it believed or gave up was read by the large model all the same."""

from math import sqrt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnow.rules.evaluate import evaluate
from winnow.rules.operands import Operands
from winnow.rules.rule import WHOLE_RUN, Rule, Rules, terms
from winnow.schema import DECISION, replace_column

Z_95 = 1.96  # standard deviations: 95 %


def audit_decisions(judged: pa.Table, rules: Rules) -> pa.Array:
    """Whether an audited row would be kept as the large model reads it; null for all other rows."""
    if "audit" not in judged.schema.names:
        return pa.nulls(len(judged), pa.bool_())
    audited = pc.and_(judged["audit"], pc.is_valid(judged["large_pred_text"])).to_numpy()
    rows = judged.filter(pa.array(audited))
    asked = replace_column(rows, "band", ["escalate"] * len(rows)).drop_columns(list(DECISION))
    alone = Rules(rules=split_rules(rules.given, False), labels=rules.labels, phrases=rules.phrases)
    broken = evaluate(alone, Operands(asked, alone)).any(axis=1) | breaks_run_rules(rows, rules)
    found = np.zeros(len(judged), bool)
    found[audited] = ~broken
    return pa.array(found, mask=~audited)


def split_rules(rules: list[Rule], needs_whole_run: bool) -> tuple[str, ...]:
    """The rules that compare an utterance with the whole run, or all others."""
    found = {str(rule): any(term.measure in WHOLE_RUN for term in terms([rule])) for rule in rules}
    return tuple(rule for rule, compared in found.items() if compared == needs_whole_run)


def breaks_run_rules(rows: pa.Table, rules: Rules) -> np.ndarray:
    """Which rows break a rule about the whole run, which no other reading changes."""
    names = {rule.name for rule in Rules(rules=split_rules(rules.given, True)).given}
    return np.array([bool(names.intersection(reasons or ())) for reasons in rows["reasons"].to_pylist()], bool)


def wilson_interval(found: int, of: int) -> tuple[float, float]:
    """Between which shares the true one lies, 95 times of 100, where so many of so many were found.

    Wilson's score interval (E. B. Wilson, Probable inference, JASA 22, 1927), which holds for few and for none.
    """
    if not of:
        return 0.0, 1.0
    share, spread = found / of, Z_95**2 / of
    middle = share + spread / 2
    width = Z_95 * sqrt(share * (1 - share) / of + spread / of / 4)
    low, high = ((middle + sign * width) / (1 + spread) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)
