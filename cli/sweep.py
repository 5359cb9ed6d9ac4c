"""Print what rules would keep of a complete run, what each threshold costs, and which errors it finds."""

import json
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from cli.console import JsonFile, errors, json_results
from winnow.evidence.calibration import Calibration, CurvePoint
from winnow.evidence.languages import OTHERS
from winnow.evidence.planting import LABELS
from winnow.parameters.ensemble import Settings
from winnow.parameters.filter import Filter
from winnow.reports.derived import calibration_of
from winnow.reports.evidence_section import SHOWN
from winnow.reports.little_kept import FEW
from winnow.runs.run_record import load_settings
from winnow.runs.storage import location, put
from winnow.sweep.outcomes import Subset, gather_outcomes, heard_columns, kept_by_run, run_stages
from winnow.sweep.threshold_sweep import RuleCost, rule_costs
from winnow.text.languages import name_for
from winnow.validation.rules import rules_for

MAX_POINTS = 7  # of a curve


def compare(output: str, given: Filter, to: JsonFile = None) -> None:
    """Print what the rules would keep of a run, beside what the run keeps, and what each rule drops."""
    run = location(output)
    with json_results(to) as (console, write):
        settings, stages = load_settings(run, given), run_stages(run)
        rules = rules_for(settings, calibration_of(run, settings), heard_columns(stages))
        outcomes = gather_outcomes(stages, rules, settings.normalizer)
        before, after = kept_by_run(stages), outcomes.kept
        rows = {
            "kept by the run": before,
            "kept by these rules": after,
            "no longer kept": before & ~after,
            "newly kept": after & ~before,
        }
        subsets, costs = {name: outcomes.of(flags) for name, flags in rows.items()}, rule_costs(outcomes)
        console.print(subsets_table(subsets))
        console.print(costs_table(costs))
        if after.sum() < FEW * len(after):
            warning = f"winnow: warning: these rules keep {after.sum():,} of {len(after):,} transcribed utterances"
            errors.print(f"{warning}: the table shows which rule they violate", markup=False, soft_wrap=True)
        write({name: asdict(subset) for name, subset in subsets.items()} | {"rules": [to_json(c) for c in costs]})


def sweep(output: str, given: Filter | None, to: JsonFile = None) -> None:
    """Print the cost and the curve of each rule, and what limits of doubt and of WER find of planted errors.

    Write the same to the run's folder: sweep.html and sweep.json.
    """
    run = location(output)
    with json_results(to) as (console, write):
        settings = load_settings(run, given)
        calibration = calibration_of(run, settings)
        stages = run_stages(run)
        rules = rules_for(settings, calibration, heard_columns(stages))
        outcomes = gather_outcomes(stages, rules, settings.normalizer)
        costs = rule_costs(outcomes)
        everything = outcomes.of(outcomes.seconds >= 0)
        console.print(subsets_table({"transcribed": everything, "kept": outcomes.of(outcomes.kept)}))
        console.print(costs_table(costs))
        for cost in costs:
            if cost.curve:
                console.print(curve_table(cost))
        for role, curves in curves_of(calibration).items():
            for measure, points in curves.items():
                if points:
                    console.print(found_table(f"{role}: {measure} <=", points))
        write(write_sweep(run, settings, costs, calibration))
        console.print(f"curves: {run / 'sweep.html'}", markup=False, soft_wrap=True)


def write_sweep(
    run: Path, settings: Settings, costs: list[RuleCost], calibration: Calibration | None
) -> dict[str, object]:
    """Write sweep.html and sweep.json into the run's folder; return what the latter has."""
    from winnow.reports.charts import (
        data_uri,  # importing matplotlib takes as long as judging a hundred thousand rows
        sweep_curves,
    )
    from winnow.reports.render import render_page

    page = f"# Thresholds\n\n![Hours kept and their WER]({data_uri(sweep_curves(costs))})\n"
    evidence = {
        role: {measure: [point.model_dump() for point in points] for measure, points in curves.items()}
        for role, curves in curves_of(calibration).items()
    }
    written: dict[str, object] = {"rules": [to_json(cost) for cost in costs], "evidence": evidence}
    put(run / "sweep.json", json.dumps(written, indent=1).encode() + b"\n")
    put(run / "sweep.html", render_page(page, f"Thresholds: {Path(settings.manifest).name}").encode())
    return written


def to_json(cost: RuleCost) -> dict[str, object]:
    """Return a cost with its rule as a text."""
    return asdict(cost) | {"rule": str(cost.rule)}


def curves_of(calibration: Calibration | None) -> dict[str, dict[str, list[CurvePoint]]]:
    """Return the curves of each model by doubt and by WER; none where references are not judged by their doubt.

    Those of a language that is judged apart are under its name (`small for de`).
    """
    if calibration is None:
        return {}
    parts: list[tuple[str | None, Calibration]] = [(None, calibration), *calibration.languages.items()]
    return {
        name_for(role, language): {"doubt": model.doubt, "wer": model.wer}
        for language, part in parts
        for role, model in part.models.items()
        if language != OTHERS
    }


def subsets_table(subsets: dict[str, Subset]) -> Table:
    """Tabulate subsets of the utterances by name."""
    table = new_table("", "utterances", "hours", "WER")
    for name, subset in subsets.items():
        table.add_row(name, *figures(subset))
    return table


def costs_table(costs: list[RuleCost]) -> Table:
    """Tabulate what violates each rule, and what only that rule drops."""
    table = new_table("rule", "violations", "hours", "only this rule", "hours")
    for cost in costs:
        table.add_row(Text(cost.rule.condition), *figures(cost.violations)[:2], *figures(cost.only_this_rule)[:2])
    return table


def curve_table(cost: RuleCost) -> Table:
    """Tabulate some points of a curve, always including the rule's own limit, which is bold."""
    step = max(1, -(-len(cost.curve) // MAX_POINTS))
    points = [point for i, point in enumerate(cost.curve) if point.current or i % step == 0 or point is cost.curve[-1]]
    table = new_table(f"{cost.rule.term} {cost.rule.operator}", "kept", "hours", "WER")
    for point in points:
        table.add_row(Text(f"{point.threshold:.4g}", style="bold" if point.current else ""), *figures(point.kept))
    return table


def found_table(first: str, points: list[CurvePoint]) -> Table:
    """Tabulate some points of a curve: the share of right references that a limit loses, and of errors it finds."""
    kinds = [kind for kind in SHOWN if any(kind in point.found for point in points)]
    table = new_table(first, "lost", *(LABELS[kind] for kind in kinds))
    for point in points[:: max(1, -(-len(points) // MAX_POINTS))]:
        table.add_row(f"{point.limit:.4g}", f"{point.lost:.1%}", *(f"{point.found[kind]:.1%}" for kind in kinds))
    return table


def figures(subset: Subset) -> list[str]:
    """Format utterances, hours and WER."""
    return [f"{subset.utterances:,}", f"{subset.hours:,.3f}", "" if subset.wer is None else f"{subset.wer:.2%}"]


def new_table(first: str, *headings: str) -> Table:
    """Return an empty table whose further columns are aligned to the right."""
    table = Table(box=None, pad_edge=False)
    table.add_column(Text(first))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
