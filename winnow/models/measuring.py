"""What a run measures in its audio, and how that is decoded."""

from pathlib import Path

from pydantic import BaseModel, field_validator

from winnow.audio.remote.urls import is_url
from winnow.parameters.audio import AudioOptions
from winnow.parameters.engine import EngineOptions


class Measuring(BaseModel, frozen=True):
    """Names of measures, and the options of a run that say how audio is found and decoded, as for a pass."""

    measures: tuple[str, ...]
    options: EngineOptions
    root: str | None = None
    audio: AudioOptions = AudioOptions()

    @field_validator("root")
    @classmethod
    def make_root_absolute(cls, root: str | None) -> str | None:
        return root if root is None or is_url(root) else str(Path(root).absolute())
