"""Show the presets of rules in a terminal."""

from collections.abc import Sequence

from rich.markup import escape

from cli.console import console
from winnow.rules.presets import FILTERS, PresetName
from winnow.validation.rules import required_columns


def show(names: Sequence[PresetName]) -> None:
    """Print each preset with its rules and the names of their reasons."""
    for name in names or FILTERS:
        preset = FILTERS[name]
        console.print(f"[bold]{name}[/]  {escape(preset.source)}")
        for rule in preset.rules:
            console.print(f"    {escape(rule.condition)}  [dim]{rule.name}[/]", soft_wrap=True)
        if needs := required_columns(preset.rules):
            console.print(f"    needs {', '.join(needs)}")
        if preset.notes:
            console.print(f"    [dim]{escape(preset.notes)}[/]", soft_wrap=True)
