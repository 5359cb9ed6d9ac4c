"""The commands that start runs, or continue them. What they do is imported only by the command that needs it."""

from typing import Annotated

from cyclopts import Parameter

from cli.console import JsonFile
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.settings import Share


def curate(settings: Annotated[Curation, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Transcribe a manifest with a small and a large model and keep what agrees with its references.

    The same command again resumes a run that was stopped; finished work is not repeated.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.run import curate

    curate(settings, json)


def ensemble(settings: Annotated[Ensemble, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Transcribe a manifest with several models, combine their hypotheses by a vote, and keep what they agree on.

    References are optional: an utterance with a reference is kept by its WER, any other by the agreement of the models.
    The same command again resumes a run that was stopped; finished work is not repeated.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.run import ensemble

    ensemble(settings, json)


def incremental(settings: Annotated[Curation, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Curate what is new in a growing manifest, each time as a new run in a folder below the output.

    An interrupted run is finished first. If nothing is new, no run is started.

    Args:
        json: File to which the figures of each finished run are written; without a file, standard output
    """
    from cli.run import incremental

    incremental(settings, json)


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
