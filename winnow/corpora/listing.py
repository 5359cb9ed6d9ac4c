"""Corpora of other forms: their rows are written once as the lines of a NeMo manifest, the listing, and read from it.

So every form is split, checked for duplicates, resumed and verified in the same way, and a form has to say no more than
which files it consists of and which fields its rows have.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from winnow.cache import cache_root, mark_used, remove_unused
from winnow.corpora.faults import BadUtterance
from winnow.corpora.line_reader import MAX_LINE
from winnow.corpora.nemo_jsonl.source import NemoJsonl
from winnow.corpora.source import CorpusSummary, Shard, Source, unreadable
from winnow.corpora.utterance import Row

log = logging.getLogger("winnow")


class ListedSource(Source):
    """A form of input whose rows are listed. `VERSION` changes when the same files would be listed otherwise."""

    VERSION = 1

    def files(self) -> list[Path]:
        """Return the files that the rows come from, in order. Raises ManifestError if there are none."""
        raise NotImplementedError

    def lines(self) -> Iterator[bytes]:
        """Yield a line for each row, in order, without its end. Raises ManifestError or OSError."""
        raise NotImplementedError

    @cached_property
    def listing(self) -> NemoJsonl:
        """The listing, which is made unless the cache has that of the same files."""
        path = self.cached
        if not mark_used(path):
            log.info("listing the rows of %s", self.location)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_unused(path.parent)
            self.write(path)
        return Listing(path, self)

    @cached_property
    def cached(self) -> Path:
        """Where the cache has the listing, if it was made already."""
        return cache_root() / "listings" / f"{self.key()}.jsonl"

    def key(self) -> str:
        """Return a hash of all that the listing depends on; files are told apart by their names, sizes and times."""
        try:
            status = [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in self.files()]
        except OSError as error:
            raise unreadable(self.location, error) from error
        made_from = [type(self).__name__, self.VERSION, self.columns, status]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write the listing, which is complete whenever it exists."""
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                file.writelines(line + b"\n" for line in self.lines())
                file.flush()
                os.fsync(file.fileno())
            except BaseException as error:
                Path(file.name).unlink()
                if isinstance(error, OSError):
                    raise unreadable(self.location, error) from error
                raise
        Path(file.name).rename(path)

    def check(self) -> None:
        next(self.scan(), None)

    def digest(self) -> str:
        """Return the sha256 of the listing."""
        return self.listing.digest()

    def shards(self, hours: float) -> Iterator[Shard]:
        return self.listing.shards(hours)

    def rows(self, locator: dict[str, Any]) -> Iterator[Row]:
        return self.listing.rows(locator)

    def scan(self) -> Iterator[Row]:
        """Yield all rows in order, from the listing if there is one: the first ones do not need all to be listed."""
        if self.cached.exists():
            yield from self.listing.parse(self.listing.lines())
            return
        try:
            lines = (line if len(line) <= MAX_LINE else None for line in self.lines())
            yield from Listing(self.cached, self).parse(lines)
        except OSError as error:
            raise unreadable(self.location, error) from error

    def summary(self) -> CorpusSummary:
        return self.listing.summary()


def other_value(value: Any) -> str:
    """Return a value that JSON does not have as text: a time as in ISO 8601."""
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


ENCODER = msgspec.json.Encoder(enc_hook=other_value, decimal_format="number")
"""Writes decimals as the numbers they are."""

FAULT = b"\0"
"""How the line of a row begins that is not an utterance for a reason of its form; no line of JSON begins so."""


class Listing(NemoJsonl):
    """A listing, whose errors name the input that it was made from."""

    def __init__(self, path: Path, source: Source) -> None:
        super().__init__(str(path), source.folder, source.referenced)
        self.location = source.location

    def parse(self, lines: Iterator[bytes | None], first: int = 1) -> Iterator[Row]:
        for number, line in enumerate(lines, first):
            if line and line.startswith(FAULT):
                reason, detail, fields = msgspec.json.decode(line.removeprefix(FAULT))
                yield {"id": number, "reason": reason, "detail": detail, "fields": json.dumps(fields)}
            else:
                yield from super().parse(iter([line]), number)


def line_of(fields: Mapping[str, Any]) -> bytes:
    """Return the line of a row with these fields, in which bytes that are not UTF-8 are surrogates."""
    try:
        return ENCODER.encode(fields)
    except UnicodeEncodeError:
        return faulty_line(BadUtterance("NOT_UTF8", "a cell of the row"), fields)


def faulty_line(fault: BadUtterance, fields: Mapping[str, Any]) -> bytes:
    """Return the line of a row that is not an utterance, with what could be read of it."""
    readable = {name: value if not isinstance(value, str) else printable_text(value) for name, value in fields.items()}
    return FAULT + ENCODER.encode([fault.reason, fault.detail, readable])


def printable_text(text: str) -> str:
    """Return the text with U+FFFD for bytes that are not UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
