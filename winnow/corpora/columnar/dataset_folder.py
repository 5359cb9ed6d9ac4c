"""Folders of Parquet files: the parts of a table, or a Hugging Face dataset with splits."""

import re
from collections.abc import Iterator
from pathlib import Path

from winnow.corpora.columnar.parquet import SUFFIXES
from winnow.corpora.columnar.remote_parquet import lines_of
from winnow.corpora.listing import ListedSource
from winnow.errors import ManifestError

NUMBERED = re.compile(r"(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}.*")
"""How `datasets` and the hub name the files of a split."""

SPLIT = re.compile(
    r"(?:.*[-._ \d])?(?P<split>train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?:[-._ \d].*)?"
)
"""Names that stand for a split, as `datasets` knows them, alone or as a word of a longer name."""

DEPTH = ("", "*/", "*/*/")  # folders below the corpus in which files are looked for


class DatasetFolder(ListedSource):
    """A folder with the Parquet files of one table, or one split of it: `FOLDER/train`, as a folder or not."""

    form = "folder of Parquet files"

    @staticmethod
    def claims(location: str) -> bool:
        path = Path(location)
        if path.exists():
            manifests = path.is_dir() and any(path.glob("*.jsonl"))  # beside the output of a run, perhaps
            return path.is_dir() and not manifests and next(parquet_files(path), None) is not None
        return not path.suffix and any(split_of(file) == path.name for file in parquet_files(path.parent))

    def files(self) -> list[Path]:
        path = Path(self.location)
        if not path.exists():
            return sorted(file for file in parquet_files(path.parent) if split_of(file) == path.name)
        files = sorted(parquet_files(path))
        splits = sorted({split_of(file) for file in files})
        if len(splits) > 1:
            names = ", ".join(split or "files without one" for split in splits)
            raise ManifestError(f"{path}: has the splits {names}: name one: {path / (splits[0] or splits[1])}")
        folders = sorted({file.parent for file in files})
        if splits != [""] and len(folders) > 1:  # configurations, which often hold the same rows
            names = ", ".join(folder.name for folder in folders)
            raise ManifestError(f"{path}: has the folders {names}: name one, or give a pattern: {folders[0]}")
        return files

    def lines(self) -> Iterator[bytes]:
        for path in self.files():
            yield from lines_of(path, self.columns)


def parquet_files(folder: Path) -> Iterator[Path]:
    """Yield the Parquet files in a folder and in those below it, but none that is hidden or temporary."""
    for depth in DEPTH:
        for suffix in SUFFIXES:
            for file in folder.glob(f"{depth}*{suffix}"):
                if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts):
                    yield file


def split_of(file: Path) -> str:
    """Return the split that a file's name, or that of its folder, stands for; nothing if it is none."""
    if found := NUMBERED.fullmatch(file.name) or SPLIT.fullmatch(file.stem) or SPLIT.fullmatch(file.parent.name):
        return found["split"]
    return ""
