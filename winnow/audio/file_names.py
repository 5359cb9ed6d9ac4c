"""Find audio whose name is not written as on the disk: in another Unicode form, as part of a URL, with a newline."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

FILE_URL = re.compile(r"file:(?://(?:localhost)?(?=/))?(/(?!/).*)", re.IGNORECASE | re.DOTALL)

MENDINGS: tuple[Callable[[str], str], ...] = (
    unquote,
    lambda path: "/".join(part.strip() for part in path.split("/")),
    lambda path: path.replace("\\", "/"),
)
"""What may have happened to a path, in the order in which it is undone."""


def exists(path: str) -> bool:
    """Tell whether there is something at the path; False as well if no file can have such a name."""
    return os.path.exists(path)  # noqa: PTH110 (unlike Path's, it never raises)


def find_file(path: str) -> str | None:
    """Return the path itself if it exists, else the only file that it can mean; None if there is none or several.

    With every name as written, in Unicode's composed form (NFC, as most systems write it) or decomposed (NFD, as macOS
    does): first the path, then the path after one of MENDINGS, then after several.
    """
    if exists(path):
        return path
    found = {file_id(file): file for spelling in spellings(path) for file in in_unicode_forms(spelling)}
    return next(iter(found.values())) if len(found) == 1 else None


def spellings(path: str) -> list[str]:
    """Return the path, and what it is after mending it in each way, and in several."""
    paths = [path]
    for count in range(1, len(MENDINGS) + 1):
        for chosen in combinations(MENDINGS, count):
            mended = path
            for mend in chosen:
                mended = mend(mended)
            paths.append(mended)
    return list(dict.fromkeys(paths))


def in_unicode_forms(path: str) -> Iterator[str]:
    """Yield the existing paths that differ from this one in the Unicode form of their names alone."""
    if exists(path):
        yield path
        return
    folder, name = os.path.split(path)
    forms = dict.fromkeys((name, normalize("NFC", name), normalize("NFD", name)))
    if path.isascii() or folder == path:
        return
    for parent in in_unicode_forms(folder):
        yield from (file for form in forms if exists(file := f"{parent.rstrip('/')}/{form}"))


def file_id(path: str) -> tuple[int, int]:
    """Identify a file, which may have several names on disks that do not tell them apart."""
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def path_of_url(url: str) -> str | None:
    """Return the path of a `file:` URL of this machine; None for anything else."""
    parts = FILE_URL.fullmatch(url.strip())
    return parts and unquote(parts[1])
