"""Columns that exist, but have no value in any row of a run with these parameters."""

from winnow.parameters.ensemble import Ensemble, Settings
from winnow.roles import ENSEMBLE
from winnow.rules.columns import HYPOTHESIS_COLUMNS, role_of_column, without_role
from winnow.rules.literals import invalid
from winnow.rules.rule import Rule, Term, terms
from winnow.schema import AGREEMENT, SCORES


def check_known(rule: Rule, settings: Settings) -> None:
    """Raise RuleError if every row would violate a rule because no row of this run has a value to compare."""
    absences = [absence for term in terms([rule]) if (absence := absence_of(term, settings))]
    if absences and rule.operator not in ("!=", "not in"):
        raise invalid(rule.condition, absences[0])


def absence_of(term: Term, settings: Settings) -> str | None:
    """Say why a column has no value in any row of this run; None if some may have one."""
    role, name = role_of_column(term.column), without_role(term.column)
    models = settings.roles[:-1] if isinstance(settings, Ensemble) else settings.roles[:1]
    if name in ("band", "last_band") and (isinstance(settings, Ensemble) or not settings.large):
        return f"{term.column} needs a gate, and this run has no larger model to escalate to"
    if name in AGREEMENT and role in models:
        return f"{term.column} does not exist: the agreement is that of later models, or of the vote"
    if name in AGREEMENT and len(settings.roles) == 1:
        return f"{term.column} needs several models, and this run has one"
    if isinstance(settings, Ensemble) and role in (None, ENSEMBLE) and name in HYPOTHESIS_COLUMNS:
        if name == "confidence" and settings.method == "rover":
            return "ROVER gives no confidence: use agreement, or that of a model, such as model1_confidence"
        if name not in ("pred_text", "confidence", *AGREEMENT, *SCORES):
            return f"the vote has no {name}: use that of a model, such as model1_{name}"
    return None
