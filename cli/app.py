"""The `winnow` command. Heavy modules are imported only by the command that needs them."""

import os
import signal
import sys
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from cli.console import EscapingConsole, JsonFile, console
from cli.error_lines import explain, format_error
from cli.models_commands import models
from flows.server.environment import keep_current_folder_off_path
from flows.server.proxies import exempt_this_machine
from winnow.errors import EXIT_CODES
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.export import Export
from winnow.parameters.filter import Filter
from winnow.parameters.maintenance import Benchmark, Doctor, DownloadModels, Refilter, Relabel
from winnow.parameters.redaction import redact_text
from winnow.parameters.review import Port, Reviewer
from winnow.parameters.segment import Segment
from winnow.parameters.settings import Count, Location, Share
from winnow.rules.presets import PresetName

NO_SETTINGS = Doctor()

QUIET = "--quiet"
"""The option of every command that has it print only warnings and errors."""


app: App = App(
    name="winnow",
    help="Turn speech manifests into datasets for training.",
    version=version("winnow"),
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),  # --models a.nemo b.nemo
    error_formatter=lambda error: format_error(error, app),
    error_console=EscapingConsole(stderr=True, soft_wrap=True, markup=False),
    help_epilogue=f"With {QUIET}, every command prints only warnings, errors and what --json asks for.\n\nExit codes: "
    + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    + ".",
)


@app.command
def curate(settings: Annotated[Curation, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Transcribe a manifest with a small and a large model and keep what agrees with its references.

    The same command again resumes a run that was stopped; finished work is not repeated.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.run import curate

    curate(settings, json)


@app.command
def peek(
    corpus: Location,
    *,
    relative_to: Location | None = None,
    references: Literal["required", "optional"] = "required",
    columns: str = "",
    rows: Count = 20_000,
    json: JsonFile = None,
) -> None:
    """Say what a corpus has, before anything is done with it: form, rows, hours, languages, fields, the first rows.

    It also says which rows would be quarantined for what they state, and whether the audio is there.

    Args:
        corpus: Manifest, table, folder or pattern, as for curate
        relative_to: Folder where relative paths start. Default: the corpus's folder
        references: As for curate: optional, if rows may have no text
        columns: Names of the corpus's own columns or fields, as for curate: text=sentence,audio_filepath=path
        rows: How many rows are read at most
        json: File to which the same is written; without a file, standard output
    """
    from cli.peek import show

    show(corpus, relative_to, references == "required", columns, rows, json)


@app.command
def ensemble(settings: Annotated[Ensemble, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Transcribe a manifest with several models, combine their hypotheses by a vote, and keep what they agree on.

    References are optional: an utterance with a reference is kept by its WER, any other by the agreement of the models.
    The same command again resumes a run that was stopped; finished work is not repeated.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.run import ensemble

    ensemble(settings, json)


@app.command
def incremental(settings: Annotated[Curation, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Curate what is new in a growing manifest, each time as a new run in a folder below the output.

    An interrupted run is finished first. If nothing is new, no run is started.

    Args:
        json: File to which the figures of each finished run are written; without a file, standard output
    """
    from cli.run import incremental

    incremental(settings, json)


@app.command
def resume(
    output: str, *, max_quarantined: Share | None = None, retry: list[str] | None = None, json: JsonFile = None
) -> None:
    """Resume a run that was stopped, with the parameters that it was started with.

    With --retry, utterances that were quarantined for these reasons are tried again, also in a finished run, and no
    other utterance is transcribed again.

    Args:
        output: Folder of the run, local or in an object store (s3://bucket/folder)
        max_quarantined: Share (0 to 1) of the utterances that may be quarantined. Default: as when it was started
        retry: Reasons such as AUDIO_IO or AUDIO_MISSING, once the audio is there or repaired
        json: File to which the figures are written; without a file, standard output
    """
    from cli.run import curate, ensemble, resume_derived, retry_later
    from winnow.runs.run_record import load_settings, read_run_record
    from winnow.runs.storage import location

    settings = load_settings(location(output))
    derived = read_run_record(location(output)).derived
    if retry:
        retry_later(output, retry)
    if max_quarantined is not None:
        settings = settings.model_copy(update={"max_quarantined": max_quarantined})
    if derived:
        resume_derived(derived, output, settings, json)
    elif isinstance(settings, Ensemble):
        ensemble(settings, json)
    else:
        curate(settings, json)


@app.command
def verify(output: str, *, json: JsonFile = None) -> None:
    """Check that a run's output has every line of the manifest exactly once and that its files are unchanged.

    An export is checked in the same way: it has every kept row once. Of segments, seconds and words are counted.

    The exit code is 0 if every check holds, otherwise 1.

    Args:
        output: Folder of the run, export or segments, local or in an object store (s3://bucket/folder)
        json: File to which each check is written; without a file, standard output
    """
    from cli.verify import verify

    sys.exit(0 if verify(output, json) else 1)


@app.command
def diff(before: str, after: str, *, fail_on: list[str] | None = None, json: JsonFile = None) -> None:
    """Say what differs between two runs: decisions and why, hours, error rates by slice, models and settings.

    Rows are matched by their audio, not by their line. The same is written to the later run: diff.html and diff.json.

    Args:
        before: Folder of the earlier run
        after: Folder of the later run
        fail_on: Changes that end the command with exit code 12, such as kept_hours<-1% or wer>0.01
        json: File to which the figures are written; without a file, standard output
    """
    from cli.diff import diff

    diff(before, after, fail_on or [], json)


app.command(models)


@app.command
def download_models(
    settings: Annotated[DownloadModels, Parameter(name="*", negative_iterable="")], *, json: JsonFile = None
) -> None:
    """Download and check models before a run needs them, and print the name that pins each.

    A model that is already on this machine is not downloaded again, and an interrupted download is continued. If one
    model fails, the others are still downloaded.

    Args:
        json: File to which the result of each model is written; without a file, standard output
    """
    from cli.download_models import download_models

    download_models(settings, json)


@app.command
def doctor(settings: Annotated[Doctor, Parameter(name="*")] = NO_SETTINGS, *, json: JsonFile = None) -> None:
    """Check for anything that would stop a run on this machine, and name the remedy.

    Each check prints one line: ok, warning or failed. The last check is a whole run over one utterance, so the command
    takes up to a minute. The exit code is 0 if no check failed, otherwise 1.

    Args:
        json: File to which the findings are written; without a file, standard output
    """
    from cli.doctor import doctor

    sys.exit(0 if doctor(settings, json) else 1)


@app.command
def benchmark(
    settings: Annotated[Benchmark, Parameter(name="*", consume_multiple=True, negative_iterable="")],
    *,
    json: JsonFile = None,
) -> None:
    """Measure the accuracy, speed, memory and load time of models on a manifest and this machine.

    Results are compared with earlier ones in the output folder, for the same models, manifest and device.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.benchmark import benchmark

    benchmark(settings, json)


@app.command
def refilter(
    run: str,
    *,
    output: str | None = None,
    filter: Annotated[Filter | None, Parameter(name="filter")] = None,
    listen: str = "",
    reviews: bool = False,
    json: JsonFile = None,
) -> None:
    """Apply other rules to a finished run. Its hypotheses are reused, so no device is needed.

    Without --output, it only shows what the rules would keep.

    Args:
        run: Folder of the finished run
        output: Folder for a new run with the rows that these rules keep. Default: none, only show what they would keep
        filter: The rules, instead of the run's own. Default: the preset winnow
        listen: What to measure in the audio, as for curate, besides what the run has measured. Only with --output
        reviews: Apply the verdicts of winnow review as well, which overrule all rules. Only with --output
        json: File to which the figures are written; without a file, standard output
    """
    rules = filter or Filter()
    if output is None:
        if listen:
            from winnow.errors import OptionError

            raise OptionError("--listen: needs --output, because a measure writes what it finds")
        if reviews:
            from winnow.errors import OptionError

            raise OptionError("--reviews: needs --output, because verdicts are applied in a new run")
        from cli.sweep import compare

        compare(run, rules, json)
    else:
        from cli.run import refilter

        refilter(Refilter(run=run, output=output, filter=rules, listen=listen, reviews=reviews), json)


@app.command
def relabel(run: str, *, output: str, reviews: bool = False, json: JsonFile = None) -> None:
    """Put proposals in the place of wrong references of a finished run. Its hypotheses are reused: no device is needed.

    A dropped row with a proposal gets it as its text, and is judged again by the rules of the run.

    Args:
        run: Folder of the finished run, in which at least two models read what is doubtful
        output: Folder for the new run; its column input_text has the references that were replaced
        reviews: Apply the verdicts of winnow review; a row with one gets no proposal by itself
        json: File to which the figures are written; without a file, standard output
    """
    from cli.run import relabel

    relabel(Relabel(run=run, output=output, reviews=reviews), json)


@app.command
def review(
    run: str,
    *,
    reviewer: Reviewer | None = None,
    port: Port = 0,
    label_studio: Path | None = None,
    import_label_studio: Path | None = None,
    rows: Path | None = None,
    most: Count = 1_000,
) -> None:
    """Serve an app in which a person listens to the doubtful rows of a finished run, and decides.

    Only this machine can reach it, by the address that is printed. Decisions are written to RUN/reviews; several people
    may review a run at once. winnow refilter --reviews and winnow relabel --reviews make a new run that follows them.
    If a file is named, it is written or read, and nothing is served.

    Args:
        run: Folder of the finished run, on a local disk
        reviewer: Name of the person who decides. Default: the name of the user
        port: Port of the app. Default: any free one
        label_studio: File for tasks of Label Studio: what is most worth a decision. Their audio goes to FILE.audio
        import_label_studio: File with what people decided in Label Studio, exported as JSON
        rows: File for the dropped rows and what was decided about them, ending in .csv or .jsonl
        most: How many tasks are written
    """
    from cli.review import review

    review(run, reviewer, port, label_studio, import_label_studio, rows, most)


@app.command
def export(settings: Annotated[Export, Parameter(name="*", negative_iterable="")], *, json: JsonFile = None) -> None:
    """Write the kept utterances of a finished run, with their audio, in a form that trainers read.

    The same command again resumes an export that was stopped, and writes the same bytes.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.export import export

    export(settings, json)


@app.command
def segment(settings: Annotated[Segment, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Cut recordings of any length into utterances, as a manifest that curate takes.

    What is no utterance is listed with a reason. The same command again resumes what was stopped, and writes the same
    bytes.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.segment import segment

    segment(settings, json)


@app.command
def sweep(
    run: str, *, filter: Annotated[Filter | None, Parameter(name="filter")] = None, json: JsonFile = None
) -> None:
    """Show what each rule of a finished run drops, and the hours kept and their WER at other thresholds.

    The curves are written to sweep.html and sweep.json in the run's folder.

    Args:
        run: Folder of the finished run
        filter: Other rules. Default: the run's own
        json: File to which the same as in sweep.json is written; without a file, standard output
    """
    from cli.sweep import sweep

    sweep(run, filter, json)


@app.command
def presets(*names: PresetName, json: JsonFile = None) -> None:
    """Show the presets of rules: their sources, what they keep, and the fields that they need in a manifest.

    Args:
        names: Presets to show. Default: all
        json: File to which the same is written; without a file, standard output
    """
    from cli.presets import show

    show(names, json)


@app.command
def deploy(*, notify: str | None = None) -> None:
    """Create or update work pools, deployments and automations on a Prefect server.

    Args:
        notify: URL that gets a POST for each run that fails or crashes, such as a Slack or Mattermost webhook
    """
    from deployments.deploy import deploy

    deploy(notify, partial(console.print, soft_wrap=True, markup=False))


@app.command
def serve() -> None:
    """Run flows that are started from Prefect's UI on this machine, without work pools or workers, until stopped."""
    from deployments.serve import serve_flows

    serve_flows(partial(console.print, soft_wrap=True, markup=False))


def main(words: list[str] | None = None) -> None:
    """Run the command. Print Winnow's own errors as one line, any other with its traceback, all of it printable."""
    keep_current_folder_off_path()
    exempt_this_machine()
    words = sys.argv[1:] if words is None else words
    console.quiet = QUIET in words
    words = [word for word in words if word != QUIET]
    try:
        app([word for before, word in pairwise(["", *words]) if (before, word) != ("--json", "-")])
    except KeyboardInterrupt:  # outside of a run, which handles it itself
        print("winnow: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # as in `winnow models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        text, exit_code = explain(error)
        print(redact_text(text), file=sys.stderr)
        sys.exit(exit_code)


if __name__ == "__main__":
    main()
