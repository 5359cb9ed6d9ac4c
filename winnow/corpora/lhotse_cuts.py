"""Lhotse's cuts and recordings: a row is a supervision, or a cut without any, or a recording.

Lhotse deserializes them. It imports torch, which takes about three seconds, so only a corpus of this form imports it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from winnow.audio.places import Place
from winnow.corpora.columns import renamed
from winnow.corpora.faults import BadUtterance
from winnow.corpora.file_patterns import expand_files
from winnow.corpora.json_lines_files import TOO_LONG, first_row, open_lines, unlike_a_fault
from winnow.corpora.line_reader import MAX_LINE, is_blank, read_lines, strip_line
from winnow.corpora.listing import ListedSource, faulty_line, line_of
from winnow.corpora.strict_json import decode_line
from winnow.corpora.tar_index import TarIndex, container_name
from winnow.errors import ManifestError

MAX_CUT = 64 * MAX_LINE  # bytes of a line: the cut of a long recording has all of its supervisions
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
CUTS = frozenset({"MonoCut", "MultiCut", "MixedCut", "PaddingCut", "Cut"})

UNREADABLE = {
    "command": ("UNSUPPORTED_SCHEME", "a command"),
    "memory": ("UNSUPPORTED_CUT", "the audio is in the manifest itself: write it as Shar (CutSet.to_shar)"),
}
"""Types of sources whose audio is nowhere on a disk."""


class LhotseCuts(ListedSource):
    """Manifests of cuts or recordings. The audio of a source of the type `shar` is in the tar beside its manifest."""

    form = "Lhotse cuts"

    @staticmethod
    def claims(location: str) -> bool:
        if "://" in location or not location.lower().endswith(SUFFIXES):
            return False
        try:
            return is_lhotse(first_row(expand_files(location)[0]))
        except ManifestError:
            return False

    def files(self) -> list[Path]:
        cuts = self.manifests()
        return [*cuts, *(tar for manifest in cuts if (tar := shar_tar(manifest)).exists())]

    def manifests(self) -> list[Path]:
        return expand_files(self.location)

    def lines(self) -> Iterator[bytes]:
        for manifest in self.manifests():
            shar = SharTar(shar_tar(manifest), self.folder)
            with open_lines(manifest) as file:
                yield from self.rows_of(file, shar.find)
            shar.report_unfound()

    def rows_of(self, file: IO[bytes], find: Callable[[str], str]) -> Iterator[bytes]:
        """Yield the lines of the rows in a manifest; `find` returns the place of a cut's audio in its tar."""
        for line in read_lines(file.readline, MAX_CUT):
            if line is None or is_blank(line):
                yield TOO_LONG if line is None else line
                continue
            try:
                item, _ = decode_line(strip_line(line))
            except BadUtterance:
                yield unlike_a_fault(strip_line(line))
                continue
            try:
                for fields in utterances(deserialize(item), find):
                    fault = fields.pop("fault", None)
                    yield faulty_line(fault, fields) if fault else line_of(renamed(fields, self.columns))
            except BadUtterance as fault:
                yield faulty_line(fault, {"id": item.get("id")})


def deserialize(item: dict[str, Any]) -> Any:
    """Return Lhotse's object; raises BadUtterance if it is neither a cut nor a recording."""
    from lhotse import Recording
    from lhotse.cut import Cut
    from lhotse.serialization import deserialize_item

    try:
        found = deserialize_item(dict(item))
    except Exception as error:  # Lhotse does not say which
        raise BadUtterance("BAD_ROW", f"not a Lhotse cut: {type(error).__name__}") from error
    if not isinstance(found, Cut | Recording):
        raise BadUtterance("BAD_ROW", f"neither a cut nor a recording: {type(found).__name__}")
    return found


def utterances(item: Any, find: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    """Yield the fields of each supervision of a cut, or of what has none; with a `fault` if its audio cannot be read.

    Raises BadUtterance for a cut whose values are not what Lhotse writes.
    """
    try:
        if hasattr(item, "sources"):
            item = item.to_cut()
        for supervision in getattr(item, "supervisions", None) or [None]:
            fields = described(item, supervision)
            try:
                fields |= where(item, supervision, find)
            except BadUtterance as fault:
                fields["fault"] = fault
            yield fields
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, AssertionError) as error:
        raise BadUtterance("BAD_ROW", f"not a Lhotse cut: {type(error).__name__}") from error


def described(cut: Any, supervision: Any) -> dict[str, Any]:
    """Return what is said about an utterance, besides where its audio is."""
    custom = {**(getattr(cut, "custom", None) or {}), **(getattr(supervision, "custom", None) or {})}
    plain = {name: value for name, value in custom.items() if isinstance(value, str | int | float | list | dict)}
    values = {
        "text": supervision and supervision.text,
        "lang": supervision and supervision.language,
        "speaker": supervision and supervision.speaker,
        "gender": supervision and supervision.gender,
        "supervision_id": supervision and supervision.id,
        "cut_id": cut.id,
        "alignment": supervision and supervision.alignment,
        "custom": plain,
    }
    return {name: value for name, value in values.items() if value not in (None, {})}


def where(cut: Any, supervision: Any, find: Callable[[str], str]) -> dict[str, Any]:
    """Return where the audio of an utterance is; raises BadUtterance if it is not a range of one recording on disk."""
    if type(cut).__name__ not in ("MonoCut", "MultiCut"):
        raise BadUtterance("UNSUPPORTED_CUT", f"a {type(cut).__name__}")
    recording = cut.recording
    if recording is None:
        raise BadUtterance("UNSUPPORTED_CUT", "no recording")
    if recording.transforms:
        raise BadUtterance("UNSUPPORTED_CUT", "the recording is transformed when it is read")
    source, channel = source_of(recording, supervision.channel if supervision else cut.channel)
    if source.type in UNREADABLE:
        raise BadUtterance(*UNREADABLE[source.type])
    start = round(cut.start + (supervision.start if supervision else 0.0), 8)
    duration = round(supervision.duration if supervision else cut.duration, 8)
    whole = start == 0 and duration == round(recording.duration, 8)
    fields = {
        "audio_filepath": find(cut.id) if source.type == "shar" else source.source,
        "offset": None if whole else start,
        "duration": duration,
        "channel": channel,
        "recording_id": recording.id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def source_of(recording: Any, channel: int | list[int]) -> tuple[Any, int | None]:
    """Return the source with a channel, and which of its channels it is; None for the mix of all.

    Raises BadUtterance if one source does not have it, or if several of its channels are meant, but not all.
    """
    wanted = channel if isinstance(channel, list) else [channel]
    source = next((source for source in recording.sources if {*wanted} <= {*source.channels}), None)
    if source is None or 1 < len(wanted) < len(source.channels):
        raise BadUtterance("BAD_CHANNEL", f"channels {wanted} of a recording")
    all_of_them = len(wanted) == len(source.channels)
    return source, None if all_of_them else source.channels.index(wanted[0])


class SharTar:
    """The tar with the recordings of a manifest of Shar's; opened when the first of them is looked for."""

    def __init__(self, tar: Path, folder: str) -> None:
        self.tar, self.folder = tar, folder
        self.index: TarIndex | None = None

    def find(self, cut_id: str) -> str:
        """Return the place of a cut's audio, also if it is not there."""
        if not self.tar.exists():
            return str(Place(container_name(self.tar, self.folder), "tar", cut_id))
        self.index = self.index or TarIndex(self.tar, self.folder, cut_ids)
        return self.index.find(cut_id) or self.index.absent(cut_id)

    def report_unfound(self) -> None:
        if self.index:
            self.index.report_unfound()


def cut_ids(member: str) -> list[str]:
    """Return the cut that a member is the audio of: its name without a suffix; none for other members."""
    path = Path(member)
    return [] if path.suffix in (".json", ".nodata", ".nometa") else [str(path.with_suffix(""))]


def shar_tar(manifest: Path) -> Path:
    """Return the tar with the recordings of a manifest: `recording.000000.tar` of `cuts.000000.jsonl.gz`."""
    _, dot, rest = manifest.name.partition(".")
    return manifest.with_name(f"recording{dot}{rest.partition('jsonl')[0]}tar")


def is_lhotse(row: object) -> bool:
    """Tell whether a row is a cut or a recording of Lhotse's."""
    return isinstance(row, dict) and (row.get("type") in CUTS or {"sources", "sampling_rate"} <= row.keys())
