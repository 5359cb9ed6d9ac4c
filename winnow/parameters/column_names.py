"""The option `--columns`: names that fields have in a corpus."""

from typing import Annotated

from pydantic import AfterValidator

from winnow.parameters.redaction import refuse_credentials


def parse_columns(columns: str) -> dict[str, str]:
    """Return what `--columns` says, such as `text=sentence,audio_filepath=path`: own names by Winnow's.

    Raises ValueError for anything else.
    """
    pairs = [pair.partition("=") for pair in columns.split(",") if pair.strip()]
    names = {name.strip(): own.strip() for name, _, own in pairs}
    if not all(name and own for name, own in names.items()):
        raise ValueError(f"{columns}: expected NAME=COLUMN, as in text=sentence,audio_filepath=path")
    if len(names) != len(pairs) or len(set(names.values())) != len(pairs):
        raise ValueError(f"{columns}: a name or a column is given twice")
    return names


def check_columns(columns: str) -> str:
    """Return the value unless it is none, which raises ValueError."""
    parse_columns(columns)
    return columns


COLUMNS_HELP = (
    "Names of the corpus's own columns or fields, if they are others: text=sentence,audio_filepath=path. Usual ones "
    "are known in tables (CSV, TSV)"
)

ColumnNames = Annotated[str, AfterValidator(refuse_credentials), AfterValidator(check_columns)]
