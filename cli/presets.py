"""Show the presets of rules in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape

from cli.console import JsonFile, json_results
from winnow.rules.presets import FILTERS, PresetName
from winnow.validation.rules import required_columns


def show(names: Sequence[PresetName], json: JsonFile = None) -> None:
    """Print each preset with its rules and the names of their reasons."""
    with json_results(json) as (console, write):
        for name in names or FILTERS:
            preset = FILTERS[name]
            console.print(f"[bold]{name}[/]  {escape(preset.source)}")
            for rule in preset.rules:
                console.print(f"    {escape(rule.condition)}  [dim]{rule.name}[/]", soft_wrap=True)
            if needs := required_columns(preset.rules):
                console.print(f"    needs {', '.join(needs)}")
            if preset.notes:
                console.print(f"    [dim]{escape(preset.notes)}[/]", soft_wrap=True)
        write({name: described(name) for name in names or FILTERS})


def described(name: PresetName) -> dict[str, Any]:
    """Return a preset as JSON has it: its rules by the names of their reasons."""
    preset = FILTERS[name]
    rules = {rule.name: rule.condition for rule in preset.rules}
    needs = list(required_columns(preset.rules))
    return {"source": preset.source, "rules": rules, "needs": needs, "notes": preset.notes}
