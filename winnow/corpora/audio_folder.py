"""Folders of audio with a list of it, `metadata.csv` or `metadata.jsonl`: the `audiofolder` of Hugging Face."""

import json
from collections.abc import Iterator
from pathlib import Path

from winnow.corpora.columnar.remote_parquet import lines_of
from winnow.corpora.forms import TEXTS
from winnow.corpora.json_lines_files import JsonLinesFiles
from winnow.corpora.line_reader import MAX_LINE
from winnow.corpora.listing import ListedSource
from winnow.corpora.tables import Table
from winnow.corpora.text_forms import first_of
from winnow.errors import ManifestError
from winnow.parameters.column_names import parse_columns

LISTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
NAME = "file_name"  # the field with the path of the audio, from the list on


class AudioFolder(ListedSource):
    """A folder with a list of its audio, or with a folder for each split that has one: `FOLDER/train`."""

    form = "audiofolder of Hugging Face"

    @staticmethod
    def claims(location: str) -> bool:
        path = Path(location)
        return path.is_dir() and (list_in(path) is not None or bool(splits_of(path)))

    def files(self) -> list[Path]:
        folder = Path(self.location)
        if found := list_in(folder):
            return [found]
        splits = splits_of(folder)
        names = ", ".join(split.name for split in splits)
        raise ManifestError(f"{folder}: has the folders {names}: name one: {splits[0]}")

    def lines(self) -> Iterator[bytes]:
        (path,) = self.files()
        if path.suffix == ".parquet":
            return lines_of(path, self.columns)
        if path.suffix == ".csv":
            return Table(str(path), self.folder, self.referenced, self.columns).lines()
        return JsonLinesFiles(str(path), self.folder, self.referenced, with_usual_names(path, self.columns)).lines()


def list_in(folder: Path) -> Path | None:
    """Return the list of audio in a folder; None if it has none."""
    return next((path for name in LISTS if (path := folder / name).is_file() and lists_audio(path)), None)


def lists_audio(path: Path) -> bool:
    """Tell whether the beginning of a file has the name of the field with the path of the audio."""
    if path.suffix == ".parquet":
        return True
    with path.open("rb") as file:
        return NAME.encode() in file.readline(MAX_LINE)


def splits_of(folder: Path) -> list[Path]:
    """Return the folders in a folder that have a list of audio."""
    lists = (path for name in LISTS for path in folder.glob(f"*/{name}") if lists_audio(path))
    return sorted({path.parent for path in lists})


def with_usual_names(path: Path, columns: str) -> str:
    """Return `--columns` for a list in JSON Lines, whose first line shows how the text is called."""
    names = parse_columns(columns)
    with path.open("rb") as file:
        try:
            fields = json.loads(file.readline(MAX_LINE))
        except ValueError:
            fields = {}
    names.setdefault("audio_filepath", NAME)
    if "text" not in fields and (text := first_of(TEXTS, fields)) and text not in names.values():
        names.setdefault("text", text)
    return ",".join(f"{name}={own}" for name, own in names.items())
