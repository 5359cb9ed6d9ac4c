"""The commands `winnow models …`. What they show is imported only by the command that needs it."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from cli.console import JsonFile
from winnow.parameters.selection import Selection
from winnow.parameters.settings import Location

models = App(name="models", help="List the known models, show one, or select models for a purpose.")


@models.default
def list_models(
    *,
    language: str | None = None,
    permissive: bool = False,
    offline: bool = False,
    catalog: Path | None = None,
    json: JsonFile = None,
) -> None:
    """List the models of the catalogue.

    Args:
        language: Only models of this language, such as de
        permissive: Only models whose licence is known to allow any use
        offline: Only models that are already on this machine
        catalog: YAML file of your own models, in the format of winnow/models/catalog.yaml
        json: File to which the same is written; without a file, standard output
    """
    from cli.models import show_all

    show_all(catalog, language, permissive, offline, json)


@models.command
def show(name: str, *, catalog: Path | None = None, json: JsonFile = None) -> None:
    """Show what is known about a model; the model names of NeMo Curator's guide work too.

    Args:
        name: Name of the model in the catalogue, or as a run takes it
        catalog: YAML file of your own models, in the format of winnow/models/catalog.yaml
        json: File to which the same is written; without a file, standard output
    """
    from cli.models import show_one

    show_one(catalog, name, json)


@models.command
def choose(
    manifest: Location | None = None,
    *,
    selection: Annotated[Selection | None, Parameter(name="*")] = None,
    catalog: Path | None = None,
    json: JsonFile = None,
) -> None:
    """Select models and explain why; `winnow curate --small auto --large auto` selects the same ones.

    Args:
        manifest: NeMo manifest; its hours and languages are used unless the flags give them
        catalog: YAML file of your own models, in the format of winnow/models/catalog.yaml
        json: File to which the same is written; without a file, standard output
    """
    from cli.models import show_choice

    show_choice(catalog, selection or Selection(), manifest, json)
