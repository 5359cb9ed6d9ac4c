"""The engines, and which of them a model name belongs to."""

from collections.abc import Iterable

from winnow.engines.endpoint.engine import EndpointEngine
from winnow.engines.engine import Checkpoint, Engine
from winnow.engines.nemo.engine import NemoEngine
from winnow.engines.transcripts import TranscriptEngine
from winnow.engines.transformers.engine import TransformersEngine
from winnow.engines.whisper.engine import WhisperEngine
from winnow.errors import CheckpointError
from winnow.input_files import expand_home, not_a_file
from winnow.parameters.engine import EngineOptions
from winnow.pins import without_pin

ENGINES: dict[str, Engine] = {
    "transcripts": TranscriptEngine(),
    "nemo": NemoEngine(),
    "whisper": WhisperEngine(),
    "transformers": TransformersEngine(),
    "endpoint": EndpointEngine(),
}
"""Engines by name. A model name belongs to the first engine that claims it, so exact forms precede general ones."""


def engine_for(model_name: str) -> Engine:
    """Return the engine of a model name, pinned or not; raises CheckpointError if none claims it."""
    name = without_pin(model_name)
    for engine in ENGINES.values():
        if engine.claims(name):
            return engine
    if problem := not_a_file(expand_home(name)):
        raise CheckpointError(f"{name}: {problem}")
    forms = ", or ".join(engine.model_names for engine in ENGINES.values())
    raise CheckpointError(f"{name}: not the name of a model: expected {forms}")


def is_path(model_name: str) -> bool:
    """Tell whether a model name is the path of a file."""
    name = without_pin(model_name)
    return any(name.endswith(engine.suffixes) for engine in ENGINES.values())


def needs_language(checkpoints: Iterable[Checkpoint], options: EngineOptions) -> bool:
    """Tell whether the language of an utterance changes its hypothesis, as the options do not set one."""
    prompts = {engine_for(checkpoint.name).language_prompt(checkpoint.family) for checkpoint in checkpoints}
    return prompts != {"none"} and options.language is None


def versions_for(checkpoints: Iterable[Checkpoint]) -> dict[str, str]:
    """Return the versions that hypotheses of these checkpoints depend on."""
    versions: dict[str, str] = {}
    for checkpoint in checkpoints:
        versions |= engine_for(checkpoint.name).versions()
    return versions
