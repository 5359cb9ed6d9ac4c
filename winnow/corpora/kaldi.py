"""Kaldi data folders: `wav.scp`, and where they exist `segments`, `text`, `utt2spk` and other lists by utterance."""

from collections.abc import Iterator
from pathlib import Path

from winnow.corpora.faults import BadUtterance
from winnow.corpora.listing import ListedSource, faulty_line, line_of

FIELDS = {"text": "text", "utt2spk": "speaker", "utt2lang": "lang", "utt2gender": "gender", "utt2dur": "duration"}
"""Lists by utterance, and the fields that hold their values."""

RECORDINGS, SEGMENTS = "wav.scp", "segments"


class KaldiFolder(ListedSource):
    """A Kaldi data folder. A row is a segment, or a recording where there are no segments.

    An entry of `wav.scp` that is a command is never run: its row has the reason UNSUPPORTED_SCHEME.
    """

    form = "Kaldi data folder"

    @staticmethod
    def claims(location: str) -> bool:
        return (Path(location) / RECORDINGS).is_file()

    def files(self) -> list[Path]:
        names = (RECORDINGS, SEGMENTS, *FIELDS)
        return [file for name in names if (file := Path(self.location) / name).exists()]

    def lines(self) -> Iterator[bytes]:
        folder = Path(self.location)
        values = {field: KaldiList(folder / name) for name, field in FIELDS.items() if (folder / name).exists()}
        for key, fields in self.segments() if (folder / SEGMENTS).exists() else self.recordings():
            found: dict[str, object] = {name: value for name, file in values.items() if (value := file.get(key))}
            if "duration" in found:
                found["duration"] = fields.pop("duration", None) or number(str(found["duration"]))
            fault = fields.pop("fault", None)
            row = {"utterance_id": key, **fields, **found}
            yield faulty_line(BadUtterance("BAD_ROW", str(fault)), row) if fault else line_of(row)

    def recordings(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield the key and the fields of each recording."""
        for key, path in read_list(Path(self.location) / RECORDINGS):
            yield key, {"audio_filepath": path}

    def segments(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield the key and the fields of each segment; an end of -1 is that of the recording."""
        paths = dict(read_list(Path(self.location) / RECORDINGS))
        for key, rest in read_list(Path(self.location) / SEGMENTS):
            recording, *times = rest.split()
            start, end = (number(time) for time in (*times, "", "")[:2])
            fields: dict[str, object] = {"recording_id": recording}
            if recording not in paths:
                fields["fault"] = f"no recording {recording} in {RECORDINGS}"
            elif start is None or end is None or len(times) != 2:
                fields["fault"] = f"{SEGMENTS}: expected a recording, a start and an end in seconds"
            else:
                fields |= {"audio_filepath": paths[recording], "offset": start}
                if end >= 0:
                    fields["duration"] = round(end - start, 6)
            yield key, fields


class KaldiList:
    """A list of keys with values, in the order in which they are asked for, or in any other.

    What is read before it is asked for is kept: nothing, if two lists have the same order, as Kaldi's have.
    """

    def __init__(self, path: Path) -> None:
        self._pairs = read_list(path)
        self._kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        if key in self._kept:
            return self._kept.pop(key)
        for found, value in self._pairs:
            if found == key:
                return value
            self._kept[found] = value
        return None


def read_list(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the key and the rest of each line, which is not empty."""
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if words := line.split(None, 1):
                yield words[0], words[1].strip() if len(words) > 1 else ""


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
