"""The engine seam: checkpoints, the models that are loaded from them, and the engines that know both.

A new engine is one module with a subclass of `Engine`, and one line in `winnow.engines.registry`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from pydantic import BaseModel

from winnow.audio.decode import Clip
from winnow.digests import PIN_PREFIX
from winnow.engines.batching import BatchLimits
from winnow.errors import CheckpointError
from winnow.input_files import expand_home, is_file, not_a_file
from winnow.parameters.engine import EngineOptions
from winnow.pins import split_pin
from winnow.text.comparison import BASIC, Comparison
from winnow.text.hypothesis import Hypothesis

LanguagePrompt = Literal["none", "optional", "required"]
"""Whether a model gets the language: never, if it is known, or always."""

Extra = Literal["evidence", "confidence", "word times", "spoken language", "no speech", "long audio"]
"""What a hypothesis may have beside its text, and utterances of any length."""

EXTRAS: tuple[Extra, ...] = get_args(Extra)


class Checkpoint(BaseModel, frozen=True):
    """A checkpoint on this machine.

    `name` is the requested name without its pin (of a file, the absolute path); `path` the copy that passed the
    preflight; `family` the kind of model, in the words of its engine; `pinned` tells whether the requested name
    determined the file.
    """

    name: str
    path: Path
    family: str
    sha256: str
    pinned: bool = True

    @property
    def pinned_name(self) -> str:
        """The name that means this file and no other."""
        return f"{self.name}{PIN_PREFIX}{self.sha256}"


def find_model_file(name: str) -> Path:
    """Return the file that a model's name is the path of; raises CheckpointError if it is none. Nothing is opened."""
    path = expand_home(name)
    if problem := not_a_file(path):
        raise CheckpointError(f"{name}: {problem}")
    if not is_file(path):
        raise CheckpointError(f"{name}: no such file")
    return path


@dataclass(frozen=True)
class Request:
    """An utterance to transcribe: the whole file, or the slice of `duration` seconds from `offset` on.

    The file must lie in the folder `root`, if there is one. `language` is given only to models that use it. `identity`
    is that of the audio that an earlier pass decoded. `channel`, counted from 0, is the only one to transcribe;
    `rounding` is half a unit of the last digit of the duration, in seconds.

    `texts` are compared with what the model reads: the reference first, if there is one. Texts are the same if
    `comparison` finds no difference, in `text_language`, the tag of what is spoken. `measures` are names of
    `winnow.listening.registry`, which are measured in the decoded audio.
    """

    path: str
    offset: float | None
    duration: float | None
    root: str | None = None
    language: str | None = None
    identity: str | None = None
    channel: int | None = None
    rounding: float = 0.0
    texts: tuple[str, ...] = ()
    comparison: Comparison = BASIC
    text_language: str | None = None
    measures: tuple[str, ...] = ()


Batch = list[tuple[Request, Clip]]


class MissingTranscript(Exception):
    """A file of transcripts has none for an utterance."""


class Recogniser(Protocol):
    """A loaded model.

    Clips arrive at `sample_rate`, in batches within `batch_limits`, `batches_per_call` of them at a time, from up to
    `threads` threads at once. `runtime` says how the model runs, such as its device and precision.
    """

    sample_rate: int
    threads: int
    batches_per_call: int
    batch_limits: BatchLimits
    runtime: dict[str, Any]

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        """Return a hypothesis for each clip, in order; raises MissingTranscript if there is none for one of them.

        A hypothesis has the evidence for each text of its request, or none if the model cannot tell.
        """

    def peak_device_bytes(self) -> int | None:
        """Return the peak device memory since the last call, in bytes; None on a CPU."""


class Engine(Protocol):
    """A source of models: which names are its own, what its models can do, and how they are loaded.

    Subclasses define the attributes without a value and `claims`, `resolve`, `load` and `versions`; the rest has
    defaults.
    """

    name: str
    model_names: str
    """The forms of its model names, for messages."""
    suffixes: tuple[str, ...] = ()
    """Suffixes of the files that hold its models, such as `.nemo`; a model name with one of them is a path."""
    families: tuple[str, ...] = ()
    """The families that its checkpoints may have."""
    precomputed: bool = False
    """Whether the hypotheses exist already, so that nothing is loaded or computed."""
    elsewhere: bool = False
    """Whether other machines run its models: nothing is downloaded, and nothing takes a device here."""
    scores_texts: bool = False
    """Whether its models give evidence for the texts of a request."""

    def claims(self, model_name: str) -> bool:
        """Tell by its form whether a name, without a sha256 pin, is one of this engine's models."""
        ...

    def check_name(self, model_name: str) -> None:
        """Raise CheckpointError if `resolve` would, as far as the name and a look at the disk show; opens nothing."""
        name, _ = split_pin(model_name)
        if name.endswith(self.suffixes):
            find_model_file(name)

    def resolve(self, model_name: str) -> Checkpoint:
        """Bring the model to this machine and check that it may be opened.

        Raises CheckpointError if it is not found, is not what its pin says, or fails the preflight.
        """
        ...

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        """Load a checkpoint, which may have been resolved on another machine."""
        ...

    def versions(self) -> dict[str, str]:
        """Return the versions of everything that a hypothesis depends on; other versions transcribe again."""
        ...

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        """Map each option that is set and that the checkpoint cannot follow to what it requires."""
        return {}

    def needs_pin(self, model_name: str) -> bool:
        """Tell whether others decide what file the name means, so that it is used only if pinned or trusted."""
        return False

    def current_pin(self, model_name: str) -> str | None:
        """Return a name that means today's file and no other, or None if that is unknown before the download.

        Raises CheckpointError if there is no such model.
        """
        return None

    def language_prompt(self, family: str) -> LanguagePrompt:
        """Tell whether models of a family get the language."""
        return "none"

    def missing_extra(self) -> str | None:
        """Return the extra that models need and that is not installed, such as winnow[whisper]; None if all is here."""
        return None

    def cannot_give(self, family: str) -> dict[Extra, str]:
        """Map what models of a family never give, or not always, to why or when; its columns are null there."""
        return dict.fromkeys(EXTRAS, "its engine gives texts alone")

    def preload(self) -> None:
        """Import what `load` needs, ahead of time."""
        return

    def find_downloaded(self, model_name: str) -> Path | None:
        """Return the model's file if it is on this machine, without asking any network."""
        return None

    def bytes_of(self, path: Path) -> int:
        """Return the size of a model on this machine."""
        return path.stat().st_size

    def family_here(self, model_name: str) -> str | None:
        """Return the family of a model on this machine, if its files tell it without being loaded."""
        return None

    def bytes_to_download(self, model_name: str) -> int | None:
        """Return how many bytes `resolve` would download: None if the model is here, 0 if its size is unknown."""
        return None

    def needs_hub(self, model_name: str) -> bool:
        """Tell whether the model comes from the Hugging Face hub."""
        return False
