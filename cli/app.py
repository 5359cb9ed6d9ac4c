"""The `winnow` command. Nothing heavy is imported until a command runs."""

import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from pydantic import ValidationError
from rich.console import Console

from flows.server.environment import keep_current_folder_off_path
from winnow.errors import EXIT_CODES, WinnowError
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.filter import Filter
from winnow.parameters.maintenance import Benchmark, Doctor, DownloadModels
from winnow.parameters.selection import Selection
from winnow.parameters.settings import Share
from winnow.rules.presets import PresetName

NOTHING = Doctor()


def complaint(error: CycloptsError) -> str:
    """What is wrong with a command's words, a line for each flag."""
    if not isinstance(cause := error.__cause__, ValidationError):
        return f"winnow: {error}"
    name = error.argument.name.removeprefix("--") if error.argument else "*"
    return "\n".join(f"winnow: {words}" for words in complaints(cause, name))


def complaints(error: ValidationError, below: str = "*") -> Iterator[str]:
    """What pydantic found, by the names of the flags; `below` is the flag that it is of, `*` for none."""
    for one in error.errors():
        loc = [below, *(str(part) for part in one["loc"] if not isinstance(part, int))]
        flag = ".".join(loc).removeprefix("*").removeprefix(".").replace("_", "-")
        words = one.get("ctx", {}).get("error", one["msg"])
        yield f"--{flag}: {words}" if flag else str(words)


app = App(
    name="winnow",
    help="Turn speech manifests into datasets that one can train on.",
    version=version("winnow"),
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),  # --models a.nemo b.nemo
    error_formatter=complaint,
    error_console=Console(stderr=True, soft_wrap=True, markup=False, highlight=False),
    help_epilogue="Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)


@app.command
def curate(settings: Annotated[Curation, Parameter(name="*")]) -> None:
    """Transcribe a manifest with a small and a large model and keep what agrees with its references.

    The same command again goes on where it stopped, and does nothing twice.
    """
    from cli.run import curate

    curate(settings)


@app.command
def ensemble(settings: Annotated[Ensemble, Parameter(name="*")]) -> None:
    """Transcribe a manifest with several models, put their readings to the vote, and keep what they agree on.

    References are not needed: what has one is kept by its WER, the rest by the agreement of the models. The same
    command again goes on where it stopped, and does nothing twice.
    """
    from cli.run import ensemble

    ensemble(settings)


@app.command
def incremental(settings: Annotated[Curation, Parameter(name="*")]) -> None:
    """Curate what is new in a manifest that grows, each time in a folder of its own below the output.

    A night that was interrupted is finished first; where nothing is new, nothing is done.
    """
    from cli.run import incremental

    incremental(settings)


@app.command
def resume(output: str, *, max_quarantined: Share | None = None) -> None:
    """Go on with the run in a folder, wherever it was stopped; parameters are those that it was started with.

    Args:
        output: Folder of the run, or an object store's (s3://bucket/folder)
        max_quarantined: Share of the utterances (0 to 1) that may be quarantined; empty: as at the start
    """
    from cli.run import curate, ensemble
    from winnow.runs.run_record import load_settings
    from winnow.runs.storage import location

    settings = load_settings(location(output))
    if max_quarantined is not None:
        settings = settings.model_copy(update={"max_quarantined": max_quarantined})
    if isinstance(settings, Ensemble):
        ensemble(settings)
    else:
        curate(settings)


@app.command
def verify(output: str) -> None:
    """Count and hash a run's files anew: every line of its manifest once, every file as it was recorded.

    Ends with 0 if all of it holds, else with 1.

    Args:
        output: Folder of the run, or an object store's (s3://bucket/folder)
    """
    from cli.run import verify

    sys.exit(0 if verify(output) else 1)


models = App(name="models", help="What models there are, what is known of them, and which suit a selection.")
app.command(models)


@models.default
def list_models(
    *, language: str | None = None, permissive: bool = False, offline: bool = False, catalog: Path | None = None
) -> None:
    """List the models of the catalogue.

    Args:
        language: Only those that read it, such as de
        permissive: Only those whose licence is known to allow any use
        offline: Only those that are on this machine already
        catalog: YAML file of models of one's own, in the form of winnow/models/catalog.yaml
    """
    from cli.models import show_all

    show_all(catalog, language, permissive, offline)


@models.command
def show(name: str, *, catalog: Path | None = None) -> None:
    """Show all that is known of a model; names of NeMo Curator's guide are understood too.

    Args:
        name: Of the model, or what a run takes for it
        catalog: YAML file of models of one's own, in the form of winnow/models/catalog.yaml
    """
    from cli.models import show_one

    show_one(catalog, name)


@models.command
def choose(
    manifest: Path | None = None,
    *,
    selection: Annotated[Selection | None, Parameter(name="*")] = None,
    catalog: Path | None = None,
) -> None:
    """Choose the models for a selection, and say why; `winnow curate --small auto --large auto` chooses the same.

    Args:
        manifest: NeMo manifest, whose hours and languages count where the selection has none
        catalog: YAML file of models of one's own, in the form of winnow/models/catalog.yaml
    """
    from cli.models import show_choice

    show_choice(catalog, selection or Selection(), manifest)


@app.command
def download_models(
    settings: Annotated[DownloadModels, Parameter(name="*", negative_iterable="")], *, json: Path | None = None
) -> None:
    """Have models at hand before a run needs them: fetch, copy and examine them, and say how to pin them.

    What is at hand is not fetched again, and a download that was interrupted goes on. One that fails stops no other.

    Args:
        json: File for what became of each model
    """
    from cli.download_models import download_models

    download_models(settings, json)


@app.command
def doctor(settings: Annotated[Doctor, Parameter(name="*")] = NOTHING, *, json: Path | None = None) -> None:
    """Look for whatever would stop a run here, and say what mends it: a line a check, ok, warning or failed.

    Ends with 0 if nothing failed, else with 1. It ends with a run of one utterance, so it takes most of a minute.

    Args:
        json: File for what was found
    """
    from cli.doctor import doctor

    sys.exit(0 if doctor(settings, json) else 1)


@app.command
def benchmark(settings: Annotated[Benchmark, Parameter(name="*", consume_multiple=True, negative_iterable="")]) -> None:
    """Measure models on a manifest and this machine: accuracy, speed, memory and load time, one after the other.

    What the output holds of the same models, manifest and device is compared with.
    """
    from cli.benchmark import benchmark

    benchmark(settings)


@app.command
def refilter(
    run: str, *, output: str | None = None, filter: Annotated[Filter | None, Parameter(name="filter")] = None
) -> None:
    """Judge a finished run by other rules, from the readings that it keeps; no device is needed.

    Without an output, only what would be kept is shown.

    Args:
        run: Folder of the run
        output: Folder of a new run with what these rules keep
        filter: What a kept utterance must satisfy, in place of the run's own rules; nothing: Winnow's own
    """
    rules = filter or Filter()
    if output is None:
        from cli.sweep import compare

        compare(run, rules)
    else:
        from cli.run import refilter

        refilter(run, output, rules)


@app.command
def sweep(run: str, *, filter: Annotated[Filter | None, Parameter(name="filter")] = None) -> None:
    """Show for each rule of a finished run what it costs, and the hours kept and their WER at other thresholds.

    The curves are written into its folder as sweep.html and sweep.json.

    Args:
        run: Folder of the run
        filter: Other rules than the run's own
    """
    from cli.sweep import sweep

    sweep(run, filter)


@app.command
def presets(*names: PresetName) -> None:
    """Show the presets of rules: where they are from, what they keep, and what a manifest must have for them.

    Args:
        names: Which of them; none: all
    """
    from cli.presets import show

    show(names)


@app.command
def deploy(*, notify: str | None = None) -> None:
    """Make on a Prefect server what runs need: work pools, deployments and automations; again, to bring it up to date.

    Args:
        notify: Address that is told of failed and crashed runs by POST (a Slack or Mattermost webhook, say)
    """
    from cli.console import console
    from deployments.deploy import deploy

    deploy(notify, partial(console.print, soft_wrap=True, markup=False))


@app.command
def serve() -> None:
    """Run from Prefect's UI whatever is asked of this machine, without work pools and workers, until it is stopped."""
    from cli.console import console
    from deployments.serve import serve_flows

    serve_flows(partial(console.print, soft_wrap=True, markup=False))


def main(words: list[str] | None = None) -> None:
    """Run the command; an error that its user can mend is one line, any other comes with its traceback."""
    keep_current_folder_off_path()
    try:
        app(words)
    except ValidationError as error:  # what was asked of a run before, and does not fit any more
        print("winnow:", *complaints(error), file=sys.stderr)
        sys.exit(2)
    except WinnowError as error:
        print("winnow:", error, *(f"({note})" for note in getattr(error, "__notes__", [])), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
