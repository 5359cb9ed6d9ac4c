"""NeMo's tarred datasets: manifests, and beside them tars with the audio of their rows.

NeMo's configurations give both, as `manifest_filepath` and `tarred_audio_filepaths`. Here the manifest is given, and
the tars are found by the names that NeMo gives them, or by a pattern as the folder of relative paths.
"""

import logging
import posixpath
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from winnow.audio.compressed_tars import is_tar
from winnow.corpora.columns import renamed
from winnow.corpora.faults import BadUtterance, json_type
from winnow.corpora.file_patterns import expand_files, in_braces, is_pattern
from winnow.corpora.json_lines_files import TOO_LONG, first_row, open_lines, unlike_a_fault
from winnow.corpora.line_reader import is_blank, read_lines, strip_line
from winnow.corpora.listing import ListedSource, faulty_line, line_of
from winnow.corpora.nemo_names import MANIFEST, SHARDED, SINGLE, TAR
from winnow.corpora.remote_copy import local_copy
from winnow.corpora.strict_json import decode_line
from winnow.corpora.tar_index import TarIndex
from winnow.errors import ManifestError

log = logging.getLogger("winnow")

FIRST = re.compile(r"\{(\w+).*?\}|[*?]")
"""A range, with its first value, or a wildcard."""

SEGMENT = re.compile(r"(?P<stem>.+)-sub\d+(?P<suffix>\.\w+)?")
"""What NeMo calls rows that are segments of one member: `call-sub1.wav`, `call-sub2.wav`."""

WHERE = "say where the tars are, as in --relative-to '/data/tars/audio__OP_0..7_CL_.tar'"


class NemoTarred(ListedSource):
    """A manifest for each tar, or one with `shard_id` for all. A row whose member is missing is AUDIO_MISSING."""

    form = "NeMo tarred dataset"

    @staticmethod
    def claims(location: str) -> bool:
        path = Path(in_braces(location))
        if "://" in location or path.is_dir():
            return False
        number = MANIFEST.fullmatch(FIRST.sub(lambda found: found[1] or "0", path.name))
        if SINGLE.fullmatch(path.name) or (number and "_OP_" in location):
            return True
        beside = (TAR.search(tar.name) for folder in folders_near(path) for tar in tars_in(folder))
        if number is None or any(tar and int(tar[1]) == int(number[1]) for tar in beside):
            return number is not None
        return is_pattern(location) and states_shard(location)

    def files(self) -> list[Path]:
        tars = (tar for manifest in self.manifests for tar in self.tars[manifest].values())
        return [*self.manifests, *dict.fromkeys(tars)]

    @cached_property
    def manifests(self) -> list[Path]:
        return expand_files(self.location)

    @cached_property
    def tars(self) -> dict[Path, dict[int, Path]]:
        """The tars of each manifest, by the numbers of their shards. Raises ManifestError if it has none."""
        by_folder = {manifest.parent: self.tars_of(manifest) for manifest in self.manifests}
        return {manifest: own_tar(manifest, by_folder[manifest.parent]) for manifest in self.manifests}

    def tars_of(self, manifest: Path) -> dict[int, Path]:
        """Return the tars that a manifest may be about. Raises ManifestError if there are none, or two for a shard."""
        folders = [Path(self.folder), *folders_near(manifest)]
        found = (
            expand_files(local_copy(self.folder))
            if is_tar(self.folder)
            else next(filter(None, map(tars_in, folders)), [])
        )
        tars: dict[int, Path] = {}
        for tar in found:
            number = TAR.search(tar.name)
            shard = int(number[1]) if number else len(tars)
            if shard in tars:
                both = f"{tars[shard].name} and {tar.name} are both of shard {shard}"
                raise ManifestError(f"{self.location}: {both}: {WHERE}")
            tars[shard] = tar
        if not tars:
            raise ManifestError(f"{self.location}: no tars such as audio_0.tar beside it: {WHERE}")
        return tars

    def lines(self) -> Iterator[bytes]:
        indexes: dict[Path, TarIndex] = {}
        last = {tar: manifest for manifest, tars in self.tars.items() for tar in tars.values()}
        for manifest in self.manifests:
            with open_lines(manifest) as file:
                for line in read_lines(file.readline):
                    yield TOO_LONG if line is None else self.row(strip_line(line), self.tars[manifest], indexes)
            for tar in [tar for tar, its_last in last.items() if its_last == manifest]:
                if tar in indexes:
                    indexes.pop(tar).report_unfound()
                else:
                    log.warning("%s: no row is about any of its members", tar)

    def row(self, line: bytes, tars: dict[int, Path], indexes: dict[Path, TarIndex]) -> bytes:
        """Return the line of a row with the place of its audio."""
        if is_blank(line):
            return line
        try:
            fields, _ = decode_line(line)
        except BadUtterance:
            return unlike_a_fault(line)
        try:
            row = renamed(fields, self.columns)
            shard = next(iter(tars)) if len(tars) == 1 else row.get("shard_id")
            index = self.index(tars, shard, indexes)
            return line_of(row | {"audio_filepath": find_member(index, row.get("audio_filepath"))})
        except BadUtterance as fault:
            return faulty_line(fault, fields)

    def index(self, tars: dict[int, Path], shard: Any, indexes: dict[Path, TarIndex]) -> TarIndex:
        """Return the index of the tar of a shard; raises BadUtterance if there is none."""
        if not isinstance(shard, int) or shard not in tars:
            raise BadUtterance("AUDIO_MISSING", f"no tar of shard {shard}" if isinstance(shard, int) else "no shard_id")
        if (tar := tars[shard]) not in indexes:
            indexes[tar] = TarIndex(tar, self.folder, member_keys)
        return indexes[tar]


def find_member(index: TarIndex, name: object) -> str:
    """Return the place of a row's member: of that name, of that without `-sub1`, or the only one with its stem.

    One that is not there has a place that says so. Raises BadUtterance if the row names none.
    """
    if not isinstance(name, str):
        raise BadUtterance("NO_AUDIO_PATH", json_type(name))
    whole = SEGMENT.fullmatch(name)
    names = [name, *([whole["stem"] + (whole["suffix"] or "")] if whole else [])]
    exact = (found for each in names if (found := index.find(posixpath.normpath(each))))
    by_stem = (found for each in names if (found := index.find(stem_key(each), unique=True)))
    return next(exact, None) or next(by_stem, None) or index.absent(name)


def member_keys(name: str) -> tuple[str, str]:
    return posixpath.normpath(name), stem_key(name)


def stem_key(name: str) -> str:
    """Return a key for the name without folder and suffix, by which NeMo's older loaders find members."""
    return f"stem:{posixpath.splitext(posixpath.basename(name))[0]}"


def states_shard(pattern: str) -> bool:
    """Tell whether the first row of the first manifest says to which shard it belongs, as NeMo's do."""
    try:
        row = first_row(expand_files(pattern)[0])
    except ManifestError:
        return False
    return isinstance(row, dict) and "shard_id" in row


def own_tar(manifest: Path, tars: dict[int, Path]) -> dict[int, Path]:
    """Return the one tar of a manifest that is numbered like it, or all."""
    number = MANIFEST.fullmatch(manifest.name)
    if number is None or SINGLE.fullmatch(manifest.name) or len(tars) == 1:
        return tars
    return {shard: tar for shard, tar in tars.items() if shard == int(number[1])}


def folders_near(manifest: Path) -> list[Path]:
    """Return the folders in which NeMo's script puts the tars of a manifest."""
    folder = manifest.parent
    return [folder, folder.parent] if folder.name == SHARDED else [folder]


def tars_in(folder: Path) -> list[Path]:
    """Return the tars of a folder that are named like NeMo's, in the order of their names."""
    return sorted(tar for tar in folder.glob("audio*_*.t*") if TAR.search(tar.name) and is_tar(tar.name))
