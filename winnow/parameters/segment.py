"""The parameters of the flow `segment`."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from winnow.parameters.column_names import COLUMNS_HELP, ColumnNames
from winnow.parameters.settings import Folder, Location, NonNegative, Parameters, Seconds

SHORTEST, LONGEST = 0.2, 3600.0  # seconds
SHORTEST_PAUSE = 0.1  # seconds


class Segment(Parameters):
    """The parameters of the flow `segment`."""

    NOT_COMPARED: ClassVar[frozenset[str]] = frozenset({"output"})
    LOCATIONS: ClassVar[frozenset[str]] = frozenset({"manifest", "audio_root", "relative_to"})

    manifest: Location = Field(
        title="Corpus", description="Corpus whose rows are recordings of any length, in any form that curate reads"
    )
    output: Folder = Field(
        kw_only=True, title="Output", description="New folder for the manifest of segments, on disk or in a store"
    )
    shortest: Seconds = Field(
        1.0, kw_only=True, title="Shortest", description="Shortest segment, in seconds; shorter ones are left out"
    )
    longest: Seconds = Field(30.0, kw_only=True, title="Longest", description="Longest segment, in seconds")
    pause: Seconds = Field(
        0.5,
        kw_only=True,
        title="Pause",
        description="Pause that always ends a segment, in seconds; shorter ones do where it would get too long",
    )
    margin: NonNegative = Field(
        0.1, kw_only=True, title="Margin", description="Seconds of a pause that a segment has at either end, at most"
    )
    audio_root: Location | None = Field(
        None,
        kw_only=True,
        title="Audio root",
        description="Folder that must contain all audio, after following links, and where relative paths start. "
        "Default: audio may be anywhere, and relative paths start at the corpus's folder",
    )
    relative_to: Location | None = Field(
        None,
        kw_only=True,
        title="Relative to",
        description="Folder where relative paths start. Default: the audio root, or the corpus's folder",
    )
    columns: ColumnNames = Field("", kw_only=True, title="Columns", description=COLUMNS_HELP)

    @property
    def audio_folder(self) -> str | None:
        """Where relative audio paths start; None for the folder of the input."""
        return self.relative_to or self.audio_root

    @property
    def referenced(self) -> bool:
        """Whether every recording must have a text."""
        return False

    def complaints(self) -> Iterator[str]:
        least = 3 * self.shortest + 2 * self.margin
        if not least <= self.longest <= LONGEST:
            yield f"--longest: expected {least:g} to {LONGEST:g} s: three times --shortest, and two margins"
        if self.shortest < SHORTEST:
            yield f"--shortest: at least {SHORTEST:g} s"
        if self.pause < SHORTEST_PAUSE:
            yield f"--pause: at least {SHORTEST_PAUSE:g} s: what is shorter may be within a word"
