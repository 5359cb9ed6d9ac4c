"""NeMo manifests that are compressed, lie in several files, or have other names for their fields."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa

from winnow.corpora.columns import renamed
from winnow.corpora.conversions import with_names
from winnow.corpora.faults import BadUtterance
from winnow.corpora.file_patterns import expand_files, is_pattern
from winnow.corpora.forms import HEAD, MANIFEST, UNREFERENCED_MANIFEST, file_form
from winnow.corpora.line_reader import BLOCK, MAX_LINE, read_lines, strip_line
from winnow.corpora.listing import FAULT, ListedSource, faulty_line, line_of
from winnow.corpora.strict_json import decode_line
from winnow.errors import ManifestError
from winnow.input_files import not_a_file

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
"""Suffixes of compressed files, and how Arrow calls them."""

MOST_OF_A_ROW = 64 * MAX_LINE  # bytes in which the first row of another form is looked for
TOO_LONG = b" " * (MAX_LINE + 1)  # a line over the limit stays one; its content is never held


class JsonLinesFiles(ListedSource):
    """One manifest, or all that a pattern such as `corpus/*.jsonl.gz` matches, in the order of their names.

    Lines are kept as they are, so that a compressed manifest is treated as if it were not.
    """

    form = "NeMo manifest, compressed, in several files or with other names of fields"

    @staticmethod
    def claims(location: str) -> bool:
        return Path(location).suffix.lower() in COMPRESSIONS or is_pattern(location)

    def files(self) -> list[Path]:
        return expand_files(self.location)

    def lines(self) -> Iterator[bytes]:
        for path in self.files():
            with open_lines(path) as file:
                for line in read_lines(file.readline):
                    yield TOO_LONG if line is None else self.renamed(unlike_a_fault(strip_line(line)))

    def renamed(self, line: bytes) -> bytes:
        """Return the line with the names of `--columns`, if there are any; one that is not an object as it is."""
        if not self.columns:
            return line
        try:
            fields, _ = decode_line(line)
        except BadUtterance:
            return line
        try:
            return line_of(renamed(fields, self.columns))
        except BadUtterance as fault:
            return faulty_line(fault, fields)

    def check(self) -> None:
        fields = MANIFEST if self.referenced else UNREFERENCED_MANIFEST
        with self.listing.path.open("rb") as file:
            head = file.read(HEAD)
        if form := file_form(head, fields, complete=len(head) < HEAD):
            expected = " and ".join(fields)
            remedy = with_names(form.remedy, "OLD.jsonl", "NEW.jsonl")
            if form.name != "other-fields":
                remedy = f"decompress it, and then: {remedy}"
            raise ManifestError(
                f"{self.location}: once decompressed, {form.description}; expected a JSON object on each line with "
                f"{expected}: {remedy}"
            )


def unlike_a_fault(line: bytes) -> bytes:
    """Return a line that is no less wrong, but not taken for one that the listing itself marks as faulty."""
    return b" " + line if line.startswith(FAULT) else line


def open_lines(path: Path) -> IO[bytes]:
    """Open a file, decompressed if its suffix says that it is compressed; raises OSError, also if it is cut off."""
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        return path.open("rb")
    return io.BufferedReader(pa.input_stream(str(path), compression=compression), BLOCK)


def first_row(path: Path) -> object:
    """Return the first row of a manifest; None if there is none that can be read."""
    if not_a_file(path) or not path.is_file():
        return None
    try:
        with open_lines(path) as file:
            return msgspec.json.decode(file.readline(MOST_OF_A_ROW))
    except (OSError, ValueError):
        return None
