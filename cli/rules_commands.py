"""The commands that judge a finished run anew, or show what rules do. Each imports what it needs."""

from typing import Annotated

from cyclopts import Parameter

from cli.console import JsonFile
from winnow.parameters.filter import Filter
from winnow.parameters.maintenance import Refilter, Relabel
from winnow.rules.presets import PresetName


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


def presets(*names: PresetName, json: JsonFile = None) -> None:
    """Show the presets of rules: their sources, what they keep, and the fields that they need in a manifest.

    Args:
        names: Presets to show. Default: all
        json: File to which the same is written; without a file, standard output
    """
    from cli.presets import show

    show(names, json)
