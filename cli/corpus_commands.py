"""The commands about corpora before they are curated. What they do is imported only by the command that needs it."""

from typing import Annotated, Literal

from cyclopts import Parameter

from cli.console import JsonFile
from winnow.parameters.segment import Segment
from winnow.parameters.settings import Count, Location


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


def segment(settings: Annotated[Segment, Parameter(name="*")], *, json: JsonFile = None) -> None:
    """Cut recordings of any length into utterances, as a manifest that curate takes.

    What is no utterance is listed with a reason. The same command again resumes what was stopped, and writes the same
    bytes.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.segment import segment

    segment(settings, json)
