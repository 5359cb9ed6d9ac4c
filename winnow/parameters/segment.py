"""The parameters of the flow `segment`."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from winnow.parameters.audio import AudioOptions
from winnow.parameters.column_names import ColumnNames
from winnow.parameters.curation import LONGEST_SEGMENT, Curation, field_of_curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.placement import Dask, Placement, check_devices, placement_complaints
from winnow.parameters.settings import Folder, Location, NonNegative, Parameters, Seconds, default_of, flag
from winnow.text.normalize import Normalizer

SHORTEST, LONGEST = 0.2, 3600.0  # seconds
SHORTEST_PAUSE = 0.1  # seconds


class Segment(Parameters):
    """The parameters of the flow `segment`."""

    NOT_COMPARED: ClassVar[frozenset[str]] = frozenset(
        {"output", "model", "trust_unpinned", "devices", "placement", "dask"}
    )  # the model's digest is compared, not its name
    PATHS: ClassVar[frozenset[str]] = frozenset({"model"})
    LOCATIONS: ClassVar[frozenset[str]] = frozenset({"manifest", "audio_root", "relative_to"})

    manifest: Location = Field(
        title="Corpus", description="Corpus whose rows are recordings of any length, in any form that curate reads"
    )
    output: Folder = Field(
        kw_only=True, title="Output", description="New folder for the manifest of segments, on disk or in a store"
    )
    model: str | None = Field(
        None,
        kw_only=True,
        title="Model",
        description="Checkpoint that reads the segments, so that the texts of recordings can be placed in them; named "
        "as curate's small model. Default: none, texts are not placed",
    )
    shortest: Seconds = Field(
        1.0, kw_only=True, title="Shortest", description="Shortest segment, in seconds; shorter ones are left out"
    )
    longest: Seconds = Field(LONGEST_SEGMENT, kw_only=True, title="Longest", description="Longest segment, in seconds")
    pause: Seconds = Field(
        0.5,
        kw_only=True,
        title="Pause",
        description="Pause that always ends a segment, in seconds; shorter ones do where it would get too long",
    )
    margin: NonNegative = Field(
        0.1, kw_only=True, title="Margin", description="Seconds of a pause that a segment has at either end, at most"
    )
    by: Literal["pauses", "speaker"] = Field(
        "pauses",
        kw_only=True,
        title="By",
        description="speaker: no segment has speech of two people; who speaks when is in the file that a row names as "
        "rttm_filepath, or in its text_filepath, such as subtitles with speakers. pauses: cut at pauses only",
    )
    ctm: bool = Field(
        False, kw_only=True, title="CTM", description="Also write words.ctm: the words of all segments with their times"
    )
    textgrids: bool = Field(
        False,
        kw_only=True,
        title="TextGrids",
        description="Also write a TextGrid for each recording into textgrids, with tiers of segments and of words",
    )
    audio_root: Location | None = field_of_curation("audio_root")
    relative_to: Location | None = field_of_curation("relative_to")
    columns: ColumnNames = field_of_curation("columns")

    trust_unpinned: bool = Field(
        False,
        kw_only=True,
        title="Trust unpinned models",
        description="Accept a model of a hub that is not pinned by a digest or commit",
    )
    engine: EngineOptions = field_of_curation("engine")
    audio: AudioOptions = field_of_curation("audio")
    normalizer: Normalizer = field_of_curation("normalizer")
    devices: str = field_of_curation("devices")
    placement: Placement = Field(
        Placement(), kw_only=True, title="Model's devices", description="Which devices the model runs on"
    )
    dask: Dask = field_of_curation("dask")

    @classmethod
    def before(cls, curation: Curation) -> "Segment":
        """Return how the recordings of a curation are cut, before it curates what they are cut into."""
        assert curation.segment is not None
        placement = curation.large_placement if curation.large else curation.small_placement
        names = ("manifest", "audio_root", "relative_to", "columns", "trust_unpinned", "engine", "audio", "normalizer")
        return cls(
            output=curation.segment,
            model=curation.large or curation.small,
            placement=placement,
            devices=curation.devices,
            dask=curation.dask,
            **{name: getattr(curation, name) for name in names},
        )

    @property
    def reading(self) -> Curation | None:
        """How the model reads segments: as the small model of a curation without references."""
        if self.model is None:
            return None
        return Curation(
            manifest=self.manifest,
            output=self.output,
            small=self.model,
            references="optional",
            trust_unpinned=self.trust_unpinned,
            audio_root=self.audio_root,
            engine=self.engine,
            audio=self.audio,
            normalizer=self.normalizer,
            devices=self.devices,
            small_placement=self.placement,
            dask=self.dask,
        )

    @property
    def audio_folder(self) -> str | None:
        """Where relative audio paths start; None for the folder of the input."""
        return self.relative_to or self.audio_root

    @property
    def referenced(self) -> bool:
        """Whether every recording must have a text."""
        return False

    @field_validator("devices")
    @classmethod
    def known_devices(cls, value: str) -> str:
        return check_devices(value)

    def complaints(self) -> Iterator[str]:
        least = 3 * self.shortest + 2 * self.margin
        if not least <= self.longest <= LONGEST:
            yield f"--longest: expected {least:g} to {LONGEST:g} s: three times --shortest, and two margins"
        if self.shortest < SHORTEST:
            yield f"--shortest: at least {SHORTEST:g} s"
        if self.pause < SHORTEST_PAUSE:
            yield f"--pause: at least {SHORTEST_PAUSE:g} s: what is shorter may be within a word"
        if self.model is None and (self.ctm or self.textgrids):
            yield f"{'--ctm' if self.ctm else '--textgrids'}: words have times only with --model"
        elif self.model is None:
            unused = [
                name
                for name in ("engine", "normalizer", "placement", "dask", "devices")
                if getattr(self, name) != default_of(self, name)
            ]
            unused += ["trust_unpinned"] if self.trust_unpinned else []
            if unused:
                yield f"{flag(unused[0])}: not used without --model"
        elif self.engine.max_seconds < self.longest:
            yield f"--engine.max-seconds: at least --longest, {self.longest:g} s"
        else:
            yield from placement_complaints(self.devices, {"placement": self.placement}, self.dask)
