"""What a run measures in its audio: what it is asked for, and what its rules compare and the manifest does not have."""

from winnow.listening.registry import MEASURES, in_order, measure_of
from winnow.models.measuring import Measuring
from winnow.parameters.ensemble import Settings
from winnow.parameters.listen import parse_measures
from winnow.rules.rule import Rules
from winnow.validation.heard_columns import can_be_heard
from winnow.validation.rules import lacking_fields


def measures_of(settings: Settings, rules: Rules) -> tuple[str, ...]:
    """Return the names of the measures of a run; raises OptionError if one of them lacks its package."""
    lacking, _ = lacking_fields(rules.all_rules, settings)
    needed = [measure_of(column) for column, kind in lacking if can_be_heard(column, kind)]
    names = in_order([*parse_measures(settings.listen), *filter(None, needed)])
    for name in names:
        MEASURES[name].check_installed()
    return names


def measuring_for(settings: Settings, rules: Rules) -> Measuring | None:
    """Return what a run measures, and how; None if it measures nothing."""
    measures = measures_of(settings, rules)
    how = {"options": settings.engine, "root": settings.audio_root, "audio": settings.audio}
    return Measuring(measures=measures, **how) if measures else None
