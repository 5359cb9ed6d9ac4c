"""WebDataset: tars in which consecutive members with the same key are an utterance: `a.wav`, `a.txt`, `a.json`.

The package webdataset would read all audio into memory; where the bytes of a member are is all that is needed here. The
rules are its own: https://github.com/webdataset/webdataset, webdataset/tariterators.py.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from winnow.audio.compressed_tars import is_tar
from winnow.audio.measurements import BadAudio
from winnow.audio.places import Place
from winnow.audio.safe_open import AudioFile
from winnow.audio.tar_members import DamagedTar, members_of, open_local_tar
from winnow.corpora.columns import renamed
from winnow.corpora.faults import BadUtterance
from winnow.corpora.file_patterns import expand_files, in_braces
from winnow.corpora.forms import TEXTS
from winnow.corpora.line_reader import MAX_LINE
from winnow.corpora.listing import ListedSource, faulty_line, line_of
from winnow.corpora.strict_json import decode_line
from winnow.corpora.tar_index import container_name, damage_of, not_a_tar
from winnow.corpora.text_forms import first_of
from winnow.parameters.column_names import parse_columns

log = logging.getLogger("winnow")

NAME = re.compile(r"(?P<key>(?:.*/|)[^.]+)\.(?P<extension>[^/]*)", re.DOTALL)
"""A key is the name up to the first dot of its last component; the rest is the extension."""

META = re.compile(r"__[^/]*__($|/)")
"""Members that webdataset skips."""

AUDIO = frozenset("wav flac mp3 ogg opus m4a mp4 aac webm wma amr sph wv caf aif aiff aifc au mka".split())
TEXT, JSON = ("txt", "text", "transcript"), ("json", "jsn")
MAX_VALUE = 2**16  # bytes of a member that becomes a field
MOST_MEMBERS = 1_000  # of a sample
KEY = "__key__"


class TarSamples(ListedSource):
    """WebDataset's tars. A row has the fields of `.json`, the text of `.txt`, and a field for each other short text.

    A field of `.json` whose name is taken by a member is kept as `json.NAME`. Of a damaged tar, the samples before the
    damage are rows; that in which it is, and all after it, are one row with a reason.
    """

    form = "WebDataset"

    @staticmethod
    def claims(location: str) -> bool:
        return is_tar(in_braces(location)) and "://" not in location and not Path(location).is_dir()

    def files(self) -> list[Path]:
        return expand_files(self.location)

    def lines(self) -> Iterator[bytes]:
        for tar in self.files():
            skipped: Counter[str] = Counter()
            container = container_name(tar, self.folder)
            try:
                with open_local_tar(str(tar)) as file:
                    for sample in samples(file, tar, skipped):
                        yield sample if isinstance(sample, bytes) else self.row(file, container, sample)
            except BadAudio as fault:
                raise not_a_tar(tar, fault.detail) from fault
            if skipped:
                number, example = skipped.total(), next(iter(skipped))
                log.warning("%s: %d members belong to no utterance, such as %s", tar, number, example)

    def row(self, file: AudioFile, container: str, sample: dict[str, Any]) -> bytes:
        """Return the line of a sample."""
        key = sample.pop(KEY)
        audio = {name: place for name, place in sample.items() if kind_of(name) in AUDIO}
        members: dict[str, Any] = {name: str(replace(place, container=container)) for name, place in audio.items()}
        try:
            values: dict[str, Any] = {}
            for name, place in sample.items():
                if kind_of(name) in JSON:
                    values |= read_json(file, name, place)
                elif name not in audio and (text := read_text(file, place)) is not None:
                    members[name] = text
            if not audio:
                members["audio"] = str(Place(container, "tar", key))
            row = with_usual_names({KEY: key, **members}, list(audio) or ["audio"], parse_columns(self.columns))
            row |= {f"json.{name}" if name in row else name: value for name, value in values.items()}
            alias = first_of(TEXTS, row) if "text" not in row else None
            return line_of(renamed({"text" if name == alias else name: row[name] for name in row}, self.columns))
        except BadUtterance as fault:
            return faulty_line(fault, {KEY: key} | members)


def samples(file: AudioFile, tar: Path, skipped: Counter[str]) -> Iterator[dict[str, Any] | bytes]:
    """Yield the places of the members of each sample, by extension, with its key; a line with a fault for damage.

    A second member with the same extension begins another sample. A sample in which a tar ends is not yielded.
    """
    sample: dict[str, Any] = {}
    try:
        for place in members_of(file, str(tar)):
            name = NAME.fullmatch(place.name)
            if name is None or META.match(place.name):
                skipped["" if skipped else place.name] += 1
                continue
            key, extension = name["key"], name["extension"].lower()
            if sample and (sample[KEY] != key or extension in sample or len(sample) > MOST_MEMBERS):
                yield sample
                sample = {}
            sample |= {KEY: key, extension: place}
    except DamagedTar as damage:
        fault = BadUtterance("AUDIO_UNREADABLE", damage_of(tar, damage))
        yield faulty_line(fault, {"tar": tar.name, KEY: sample.get(KEY)})
        return
    if sample:
        yield sample


def kind_of(extension: str) -> str:
    return extension.rpartition(".")[2]


def read_json(file: AudioFile, extension: str, place: Place) -> dict[str, Any]:
    """Return the fields in a member. Raises BadUtterance unless it is a JSON object of at most 1 MiB."""
    start, size = place.number("start"), place.number("size")
    if size > MAX_LINE:
        raise BadUtterance("LINE_TOO_LONG", f"{extension} of {size:,} bytes")
    return decode_line(file.read_at(size, start))[0]


def read_text(file: AudioFile, place: Place) -> str | None:
    """Return a member that is a short text; None for anything else."""
    start, size = place.number("start"), place.number("size")
    if size > MAX_VALUE:
        return None
    try:
        text = file.read_at(size, start).decode().strip()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def with_usual_names(members: dict[str, Any], audio: list[str], columns: dict[str, str]) -> dict[str, Any]:
    """Return a sample whose only audio is its audio_filepath, and whose `.txt` is its text, unless columns say which.

    Raises BadUtterance if there are several.
    """
    names = {}
    if "audio_filepath" not in columns:
        if len(audio) != 1:
            detail = f"{', '.join(audio)}: choose with --columns audio_filepath={audio[0]}"
            raise BadUtterance("BAD_ROW", detail)
        names[audio[0]] = "audio_filepath"
    text = next((kind for kind in TEXT if kind in members), None)
    text = text or next((name for name in members if kind_of(name) in TEXT), None)
    if text and "text" not in columns:
        names[text] = "text"
    return {names.get(name, name): value for name, value in members.items()}
