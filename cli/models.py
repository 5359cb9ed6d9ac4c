"""`winnow models` shows the catalogue. No model is opened, and nothing is downloaded."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import EscapingConsole, JsonFile, json_results
from winnow.corpora.registry import open_source
from winnow.engines.engine import Engine
from winnow.engines.registry import engine_for
from winnow.errors import CheckpointError
from winnow.hardware import ELSEWHERE, this_machine
from winnow.models.catalog import Catalog, open_catalog
from winnow.models.catalog_schema import Model
from winnow.models.explain import licence_warnings, resource_needs, selection_reasons
from winnow.models.model_card import engine_card, model_card, parameter_count
from winnow.models.selection import SelectedModels, select_models
from winnow.parameters.selection import Selection
from winnow.pins import without_pin
from winnow.text.languages import match_language

WIDE = 180  # characters per line if the output is not a terminal


def show_all(own: Path | None, language: str | None, permissive: bool, offline: bool, json: JsonFile = None) -> None:
    """Show one line per model, in the order of the catalogue; the user's own come first."""
    catalog = open_catalog(own)
    models = [model for model in catalog.models if matches(model, catalog, language, permissive, offline)]
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "size", "decoder", "languages", "WER", "RTFx", "protocol", "licence", "here"):
        numeric = heading in ("size", "WER", "RTFx")
        table.add_column(heading, overflow="fold", justify="right" if numeric else "left")
    for model in models:
        protocol, score = next(iter(catalog.scores(model, [language] if language else []).items()), ("", None))
        few = len(model.languages) < 5
        table.add_row(
            Text(model.name),
            parameter_count(model),
            Text(model.decoder),
            ", ".join(model.languages) if few else str(len(model.languages)),
            f"{score.wer:.2%}" if score else "",
            f"{score.rtfx:,.0f}" if score and score.rtfx else "",
            protocol,
            Text(model.licence or "unknown"),
            "yes" if find_downloaded(model) else "",
        )
    with json_results(json) as (given, write):
        console = wide(given)
        console.print(table)
        note = "compare error rates only within one protocol: see winnow models show NAME"
        console.print(f"\n{len(models)} of {len(catalog.models)} models; {note}", soft_wrap=True)
        write([model.model_dump(mode="json") for model in models])


def wide(console: Console) -> Console:
    """Return the console; if it is no terminal, with lines long enough for the table of models."""
    return console if console.is_terminal or console.quiet else EscapingConsole(stderr=console.stderr, width=WIDE)


def matches(model: Model, catalog: Catalog, language: str | None, permissive: bool, offline: bool) -> bool:
    licence = catalog.licence(model)
    return (
        (language is None or match_language(language.lower(), model.languages) is not None)
        and (not permissive or (licence is not None and licence.permissive))
        and (not offline or find_downloaded(model) is not None)
    )


def find_downloaded(model: Model) -> Path | None:
    return engine_for(model.checkpoint).find_downloaded(model.run_name)


def show_one(own: Path | None, name: str, json: JsonFile = None) -> None:
    """Show everything that is known of a model, and its sources; of one that is not in the catalogue, its engine's."""
    catalog = open_catalog(own)
    with json_results(json) as (console, write):
        if catalog.find(name) is None and (engine := engine_of_unlisted(name)):
            lines = engine_card(name, engine)
        else:
            model = catalog.get(name)
            if meaning := catalog.meaning(name):
                relation = "is" if meaning.exists else "does not exist; the nearest model is"
                explained = f"{name} {relation} {model.checkpoint}: {meaning.why}\n"
                console.print(explained, soft_wrap=True, markup=False)
            lines = model_card(model, catalog, this_machine())
        wide(console).print(card_table(lines))
        write({heading: [value for other, value in lines if other == heading] for heading, _ in lines})


def engine_of_unlisted(name: str) -> Engine | None:
    """Return the engine of a model on disk or with the engine's prefix; None for a name that may be a mistake."""
    try:
        engine = engine_for(name)
    except CheckpointError:
        return None
    return engine if ":" in without_pin(name) or engine.find_downloaded(name) else None


def card_table(lines: list[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    last = ""
    for heading, value in lines:
        table.add_row("" if heading == last else heading, Text(value))
        last = heading
    return table


def show_choice(own: Path | None, selection: Selection, manifest: str | None, json: JsonFile = None) -> SelectedModels:
    """Show the models for a selection, their needs and the reasons; the manifest fills in languages and hours."""
    if manifest:
        summary = open_source(manifest).summary()
        languages = selection.language or ",".join(summary.languages) or None
        hours = selection.hours or summary.hours or None
        selection = selection.model_copy(update={"language": languages, "hours": hours})
    machine = replace(ELSEWHERE, device="as requested") if selection.memory else this_machine()
    selected = select_models(selection, open_catalog(own), machine)
    table = Table(box=None, pad_edge=False, show_header=False)
    for role, model in selected.models.items():
        table.add_row(f"--{role}", Text(model.run_name))
    sections = {
        "reasons": selection_reasons(selected),
        "needs": resource_needs(selected),
        "licence": licence_warnings(selected),
    }
    for heading, sentences in sections.items():
        for number, sentence in enumerate(sentences):
            table.add_row("" if number else heading, Text(sentence))
    with json_results(json) as (given, write):
        console = wide(given)
        console.print(table)
        if any(engine_for(model.checkpoint).needs_pin(model.run_name) for model in selected.models.values()):
            console.print("\nNot pinned: a run requires --trust-unpinned, or the pin that its error message shows.")
        names = {role: model.run_name for role, model in selected.models.items()}
        write({"models": names} | {heading: list(sentences) for heading, sentences in sections.items()})
    return selected
