"""`winnow models`: what the catalogue knows, in a terminal. No model is opened, and nothing is fetched."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from winnow.corpora.registry import open_source
from winnow.engines.registry import engine_for
from winnow.hardware import ELSEWHERE, this_machine
from winnow.models.catalog import Catalog, open_catalog
from winnow.models.catalog_schema import Model
from winnow.models.model_card import model_card, parameter_count
from winnow.models.selection import SelectedModels, select_models
from winnow.parameters.selection import Selection
from winnow.text.languages import match_language

WIDE = 180  # characters of a line where nobody's terminal says how many it has

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=WIDE)


def show_all(own: Path | None, language: str | None, permissive: bool, offline: bool) -> None:
    """A line a model, in the order of the catalogue; one's own come first."""
    catalog = open_catalog(own)
    found = [model for model in catalog.models if wanted(model, catalog, language, permissive, offline)]
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "size", "decoder", "languages", "WER", "RTFx", "by", "licence", "here"):
        right = heading in ("size", "WER", "RTFx")
        table.add_column(
            heading,
            overflow="fold",
            justify="right" if right else "left",
        )
    for model in found:
        protocol, score = next(iter(catalog.scores(model, [language] if language else []).items()), ("", None))
        spoken = ", ".join(model.languages) if len(model.languages) < 5 else str(len(model.languages))
        table.add_row(
            Text(model.name),
            parameter_count(model),
            Text(model.decoder),
            spoken,
            f"{score.wer:.2%}" if score else "",
            f"{score.rtfx:,.0f}" if score and score.rtfx else "",
            protocol,
            Text(model.licence or "unknown"),
            "yes" if engine_for(model.checkpoint).find_downloaded(model.place) else "",
        )
    console.print(table)
    more = "error rates compare only where they are by the same protocol: see winnow models show NAME"
    console.print(f"\n{len(found)} of {len(catalog.models)} models; {more}", soft_wrap=True)


def wanted(model: Model, catalog: Catalog, language: str | None, permissive: bool, offline: bool) -> bool:
    licence = catalog.licence(model)
    return (
        (language is None or match_language(language.lower(), model.languages) is not None)
        and (not permissive or (licence is not None and licence.permissive))
        and (not offline or engine_for(model.checkpoint).find_downloaded(model.place) is not None)
    )


def show_one(own: Path | None, name: str) -> None:
    """All that is known of a model, and where it comes from."""
    catalog = open_catalog(own)
    model = catalog.get(name)
    if meaning := catalog.meaning(name):
        console.print(
            f"{name} is {'' if meaning.exists else 'really '}{model.checkpoint}: {meaning.why}\n",
            soft_wrap=True,
            markup=False,
        )
    table = Table(box=None, pad_edge=False, show_header=False)
    for heading, value in model_card(model, catalog, this_machine()):
        table.add_row(heading, Text(value))
    console.print(table)


def show_choice(own: Path | None, selection: Selection, manifest: Path | None) -> SelectedModels:
    """Show the models for a selection, what they need and why; the manifest fills in what the selection leaves open."""
    if manifest:
        there = open_source(manifest).summary()
        spoken = selection.language or ",".join(there.languages) or None
        selection = selection.model_copy(update={"language": spoken, "hours": selection.hours or there.hours or None})
    machine = replace(ELSEWHERE, device="as was said") if selection.memory else this_machine()
    found = select_models(selection, open_catalog(own), machine)
    table = Table(box=None, pad_edge=False, show_header=False)
    for role, model in found.models.items():
        table.add_row(f"--{role}", Text(model.place))
    for heading, lines in [("because", found.reasons), ("takes", found.needs), ("licence", found.warnings)]:
        for line in lines:
            table.add_row(heading, Text(line))
            heading = ""
    console.print(table)
    if any(model.place == model.checkpoint for model in found.models.values()):
        console.print("\nNot pinned: a run wants --trust-unpinned, or the pin that its refusal shows.")
    return found
