"""NeMo manifests: a JSON object on each line."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from winnow.corpora.faults import BadUtterance
from winnow.corpora.forms import MANIFEST, UNREFERENCED_MANIFEST, describe, detect_form
from winnow.corpora.line_reader import BLOCK, MAX_LINE, is_blank, read_lines, strip_line
from winnow.corpora.mending import parse_or_mend
from winnow.corpora.nemo_jsonl.duplicates import find_duplicates
from winnow.corpora.nemo_jsonl.glance import UNDECODABLE
from winnow.corpora.nemo_jsonl.parse_line import parse_line
from winnow.corpora.nemo_jsonl.sharding import MAX_SECONDS, cut_shards
from winnow.corpora.source import CorpusSummary, Shard, Source, changed, summarize, unreadable
from winnow.corpora.strict_json import constants_as_null
from winnow.corpora.utterance import Row, parse_duration
from winnow.digests import sha256_of
from winnow.errors import ManifestError
from winnow.input_files import not_a_file
from winnow.text.languages import LanguageFields, language_tag


class NemoJsonl(Source):
    """A NeMo manifest. Its shards are slices of the file, each with a hash of its bytes."""

    form = "NeMo manifest"

    def __init__(
        self,
        location: str,
        folder: str,
        referenced: bool = True,
        columns: str = "",
        limit: int = MAX_LINE,
        block: int = BLOCK,
    ) -> None:
        """`limit` is the longest line in bytes, `block` how much is read at once.

        Raises ManifestError for what cannot be read several times, such as a pipe.
        """
        super().__init__(location, folder, referenced, columns)
        self.path, self.limit, self.block = Path(location), limit, block
        if problem := not_a_file(self.path):
            if self.path.is_dir():
                self.check()  # says what to do with a folder
            raise ManifestError(f"{location}: {problem}")

    @staticmethod
    def claims(location: str) -> bool:
        return True

    def check(self) -> None:
        fields = MANIFEST if self.referenced else UNREFERENCED_MANIFEST
        try:
            form = detect_form(self.path, fields)
        except OSError as error:
            raise unreadable(self.location, error) from error
        if form:
            raise ManifestError(describe(self.path, form, fields))

    def digest(self) -> str:
        """Return the sha256 of the file."""
        try:
            return sha256_of(self.path)
        except OSError as error:
            raise unreadable(self.location, error) from error

    def shards(self, hours: float) -> Iterator[Shard]:
        slices, hashes = cut_shards(self.path, self.folder, hours, self.limit, self.block)
        duplicates = find_duplicates(self.path, self.folder, hashes, self.limit, self.referenced)
        for part in slices:
            locator = {name: getattr(part, name) for name in ("start", "first", "lines", "xxh3")}
            for name, pairs in duplicates._asdict().items():
                lines, first_lines = pairs.among(part.first, part.lines)
                locator[name] = [lines.tolist(), first_lines.tolist()]
            yield Shard(part.lines, part.blank, part.seconds, locator)

    def rows(self, locator: dict[str, Any]) -> Iterator[Row]:
        earlier, same_audio = (dict(zip(*locator[name], strict=True)) for name in ("duplicate", "same_audio"))
        for row in self.parse(self.lines_of(locator), locator["first"]):
            if row["id"] in earlier:
                row |= {"reason": "DUPLICATE_UTT", "detail": f"as line {earlier[row['id']]}"}
            if row["id"] in same_audio:
                row["same_audio"] = same_audio[row["id"]]
            yield row

    def lines_of(self, locator: dict[str, Any]) -> Iterator[bytes | None]:
        """Yield the lines of a slice; raise ManifestError after the last one if the bytes have changed since."""
        digest = xxhash.xxh3_128()
        try:
            file = self.path.open("rb")
        except FileNotFoundError as error:  # other errors of a disk may pass, and are retried
            raise unreadable(self.location, error) from error
        with file:
            file.seek(locator["start"])

            def readline(most: int) -> bytes:
                piece = file.readline(most)
                digest.update(piece)
                return piece

            yield from islice(read_lines(readline, self.limit), locator["lines"])
        if digest.hexdigest() != locator["xxh3"]:
            raise changed(self.location)

    def parse(self, lines: Iterator[bytes | None], first: int = 1) -> Iterator[Row]:
        """Yield the rows of lines that are not blank; None is a line over the limit."""
        for number, line in enumerate(lines, first):
            if line is None or not is_blank(line):
                yield {"id": number} | parse_line(line, self.folder, self.referenced)

    def scan(self) -> Iterator[Row]:
        self.check()
        return self.parse(self.lines())

    def lines(self) -> Iterator[bytes | None]:
        """Yield all lines; None is one over the limit."""
        try:
            with self.path.open("rb") as file:
                yield from read_lines(file.readline, self.limit)
        except OSError as error:
            raise unreadable(self.location, error) from error

    def summary(self) -> CorpusSummary:
        """Add up what lines state, without validating them."""
        return summarize(self.languages())

    def languages(self) -> Iterator[tuple[str | None, float]]:
        """Yield the language and the seconds that each line states."""
        decode = msgspec.json.Decoder(LanguageFields).decode
        for line in self.lines():
            try:
                fields = decode(constants_as_null(strip_line(line or b"")))
            except UNDECODABLE:
                continue
            try:
                seconds = parse_or_mend("duration", fields.duration, parse_duration, []) or 0.0
            except BadUtterance:
                seconds = 0.0
            yield language_tag(fields.lang), min(seconds, MAX_SECONDS)
