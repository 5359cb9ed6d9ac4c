"""The threshold lab: what rules would keep of a finished run, and what each threshold costs, seen in a terminal."""

import json
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from cli.console import console
from winnow.parameters.filter import Filter
from winnow.runs.run_record import load_settings
from winnow.runs.storage import location, put
from winnow.sweep.outcomes import Subset, gather_outcomes, kept_by_run, run_stages
from winnow.sweep.threshold_sweep import CurvePoint, RuleCost, rule_costs
from winnow.validation.rules import rules_for

SHOWN = 7  # thresholds of a curve in the terminal


def compare(output: str, given: Filter) -> None:
    """Show what the rules would keep of a run, beside what it keeps, and what each rule drops."""
    run = location(output)
    settings, stages = load_settings(run, given), run_stages(run)
    found = gather_outcomes(stages, rules_for(settings), settings.normalizer)
    before, after = kept_by_run(stages), found.kept
    rows = {
        "kept": before,
        "kept by these rules": after,
        "kept no more": before & ~after,
        "kept in addition": after & ~before,
    }
    console.print(tallies({name: found.of(flags) for name, flags in rows.items()}))
    console.print(dropped(rule_costs(found)))


def sweep(output: str, given: Filter | None) -> None:
    """Show each rule's cost and curve, and write them into the run's folder: sweep.html and sweep.json."""
    from winnow.reports.charts import (
        data_uri,  # importing matplotlib takes as long as judging a hundred thousand rows
        sweep_curves,
    )
    from winnow.reports.render import render_page

    run = location(output)
    settings = load_settings(run, given)
    found = gather_outcomes(run_stages(run), rules_for(settings), settings.normalizer)
    every = rule_costs(found)
    console.print(tallies({"heard": found.of(found.seconds >= 0), "kept": found.of(found.kept)}))
    console.print(dropped(every))
    for cost in every:
        if cost.curve:
            console.print(curve(cost))
    title = f"Thresholds: {settings.manifest.name}"
    put(run / "sweep.json", json.dumps([plain(cost) for cost in every], indent=1).encode() + b"\n")
    put(
        run / "sweep.html",
        render_page(
            f"# Thresholds\n\n![Hours kept and their errors]({data_uri(sweep_curves(every))})\n", title
        ).encode(),
    )
    console.print(f"curves: {run / 'sweep.html'}", markup=False, soft_wrap=True)


def plain(cost: RuleCost) -> dict[str, object]:
    return asdict(cost) | {"rule": str(cost.rule)}


def tallies(rows: dict[str, Subset]) -> Table:
    table = framed("", "utterances", "hours", "WER")
    for name, tally in rows.items():
        table.add_row(name, *figures(tally))
    return table


def dropped(every: list[RuleCost]) -> Table:
    """What breaks each rule, and what no other rule would have dropped."""
    table = framed("rule", "broken by", "hours", "only by this", "hours")
    for cost in every:
        all_of, alone = figures(cost.violations), figures(cost.only_this_rule)
        table.add_row(Text(cost.rule.condition), *all_of[:2], *alone[:2])
    return table


def curve(cost: RuleCost) -> Table:
    """Some of its points, and always the limit that the rule has."""
    step = max(1, -(-len(cost.curve) // SHOWN))
    points = [point for i, point in enumerate(cost.curve) if point.current or i % step == 0 or point is cost.curve[-1]]
    table = framed(f"{cost.rule.term} {cost.rule.operator}", "kept", "hours", "WER")
    for point in points:
        table.add_row(limit(point), *figures(point.kept))
    return table


def limit(point: CurvePoint) -> Text:
    return Text(f"{point.threshold:.4g}", style="bold" if point.current else "")


def figures(tally: Subset) -> list[str]:
    return [f"{tally.utterances:,}", f"{tally.hours:,.3f}", "" if tally.wer is None else f"{tally.wer:.2%}"]


def framed(first: str, *headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(Text(first))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
