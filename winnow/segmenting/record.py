"""`segment.json` and `_SUCCESS.json` of segmented recordings: what was asked for, and what came of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from winnow.errors import OutputError, RunMismatch
from winnow.parameters.segment import Segment
from winnow.runs.completion import SUCCESS, SuccessFile, ledger_digest, read_success
from winnow.runs.json_object import decode_object, encode_object
from winnow.runs.lock import Owner
from winnow.runs.output_folder import check_output, open_output
from winnow.runs.run_record import differences, with_absolute_paths, without_not_compared
from winnow.runs.storage import (
    location,
    put,
    put_if_absent,
    read_file,
    sha256_if_exists,
)
from winnow.runs.store_errors import explain_store_errors

SEGMENT_RECORD = "segment.json"
MANIFEST = "manifest.jsonl"
LEFT_OUT = "left_out.jsonl"
FILES = (SEGMENT_RECORD, MANIFEST, LEFT_OUT)


class Amount(BaseModel, frozen=True, extra="forbid", strict=True):
    """How many parts there are, how long they are in total, and how many words of the texts they have."""

    parts: int = 0
    milliseconds: int = 0
    words: int = 0

    def plus(self, milliseconds: int, words: int) -> "Amount":
        return Amount(parts=self.parts + 1, milliseconds=self.milliseconds + milliseconds, words=self.words + words)


class SegmentReport(SuccessFile, frozen=True):
    """What became of `recordings`, which have so many milliseconds and words in total.

    They are those of `segments`, of `silence`, and of what is `left_out`, by reason. `sha256` has the files, `ledger`
    is a hash of the records.
    """

    recordings: int
    milliseconds: int
    words: int
    segments: Amount
    ending_in_speech: int
    silence: Amount
    left_out: dict[str, Amount]
    sha256: dict[str, str | None] = Field(default_factory=dict)
    ledger: str = ""

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost."""
        amounts = [self.segments, self.silence, *self.left_out.values()]
        seconds, words = sum(a.milliseconds for a in amounts), sum(a.words for a in amounts)
        return (seconds, words) == (self.milliseconds, self.words)

    @property
    def table(self) -> list[dict[str, str]]:
        """What the recordings have, part by part, for people."""
        return [
            row_of("recordings", Amount(parts=self.recordings, milliseconds=self.milliseconds, words=self.words)),
            row_of("segments", self.segments),
            {"": "segments that end in speech", "number": f"{self.ending_in_speech:,}", "hours": "", "words": ""},
            row_of("silence", self.silence),
            *(row_of(f"left out: {reason}", amount) for reason, amount in self.left_out.items()),
        ]

    @property
    def summary(self) -> str:
        """What became of the recordings, in a line for the log."""
        left_out = ", ".join(f"{amount.parts:,} {reason}" for reason, amount in self.left_out.items())
        return (
            f"{self.recordings:,} recordings: {self.segments.parts:,} segments; parts left out: {left_out or 'nothing'}"
        )


def row_of(name: str, amount: Amount) -> dict[str, str]:
    """Return an amount as a row of a table."""
    return {
        "": name,
        "number": f"{amount.parts:,}",
        "hours": f"{amount.milliseconds / 3_600_000:.3f}",
        "words": f"{amount.words:,}",
    }


def is_segmented(output: Path) -> bool:
    """Tell whether a folder has segmented recordings."""
    return (output / SEGMENT_RECORD).exists()


@contextmanager
def open_segmentation(
    settings: Segment, inputs: dict[str, str], owner: Owner, on_dead_owner: Callable[[Owner], object]
) -> Iterator[Path]:
    """Open the output folder and lock it until the block ends; `inputs` are the sha256 of what is read.

    `on_dead_owner` is called with an owner that died while it worked on the folder.
    Raises OutputError for a folder that cannot be used, OutputInUse, and RunMismatch for one with other segments.
    """
    output = location(settings.output)
    check_same = partial(check_same_segmentation, output, settings, inputs)
    with open_output(output, owner, on_dead_owner, check_segmentation_folder, check_same):
        yield output


def check_segmentation_folder(output: Path) -> None:
    """Raise OutputError unless the folder can be written to, and is new, empty or that of segmented recordings."""
    check_output(output, SEGMENT_RECORD, "a folder of segments")


def check_same_segmentation(output: Path, settings: Segment, inputs: dict[str, str]) -> None:
    """Write `segment.json`; raise RunMismatch if the folder has the segments of other recordings or parameters."""
    parameters = without_not_compared(with_absolute_paths(settings), Segment)
    record = {"parameters": parameters, "sha256": inputs, "versions": {"winnow": version("winnow")}}
    if put_if_absent(output / SEGMENT_RECORD, encode_object(record, indent=2)):
        return
    before = read_segment_record(output)
    compared = ({name: content.get(name) for name in ("parameters", "sha256")} for content in (before, record))
    if changes := differences(*compared):
        raise RunMismatch(f"{output} holds other segments ({changes}): choose another output, or remove this one")
    put(output / SEGMENT_RECORD, encode_object(record, indent=2))


def read_segment_record(output: Path) -> dict[str, Any]:
    """Read `segment.json`; raises OutputError if it is missing or damaged."""
    try:
        with explain_store_errors(output):
            return decode_object(read_file(output / SEGMENT_RECORD))
    except (OSError, ValueError) as error:
        raise OutputError(f"{output / SEGMENT_RECORD}: damaged: {error}") from error


def complete_segmentation(output: Path, report: SegmentReport, others: Sequence[str] = ()) -> SegmentReport:
    """Write `_SUCCESS.json`, which marks the output as complete; return the report with its hashes.

    `others` are files besides FILES.
    """
    sha256 = {name: sha256_if_exists(output / name) for name in (*FILES, *others)}
    complete = report.model_copy(update={"ledger": ledger_digest(output), "sha256": sha256})
    put(output / SUCCESS, complete.encode())
    return complete


def read_segment_report(output: Path) -> SegmentReport:
    """Read `_SUCCESS.json`; raises OutputError if the output is not complete, or if the file is damaged."""
    return read_success(output, SegmentReport, "not complete: run the same command again")
