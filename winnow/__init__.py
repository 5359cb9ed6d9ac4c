"""Winnow: curate speech corpora from Python.

    from winnow import judge, open_corpus, open_run, score, transcribe

`open_corpus` reads a manifest, `transcribe` runs a model on audio files, `score` compares two texts, `judge` applies
rules, and `open_run` reads what `winnow curate` wrote. Every error that they raise on purpose is a `WinnowError`.

Importing `winnow` is cheap: a name is loaded when it is first used, and torch and NeMo when a model is.
"""

from importlib import import_module
from logging import getLogger
from typing import TYPE_CHECKING, Any

from winnow.log import make_printable

if TYPE_CHECKING:
    from winnow.api.corpus import Corpus, Utterance, open_corpus
    from winnow.api.judging import Decision, judge
    from winnow.api.run import Run, open_run
    from winnow.api.scoring import score
    from winnow.api.transcription import transcribe
    from winnow.audio.measurements import AudioStats
    from winnow.engines.inference import Result
    from winnow.errors import WinnowError
    from winnow.parameters.engine import EngineOptions
    from winnow.text.hypothesis import Hypothesis, Word
    from winnow.text.metrics import ErrorMeasures
    from winnow.text.normalize import Normalizer, normalize

    __version__: str

__all__ = [
    "AudioStats",
    "Corpus",
    "Decision",
    "EngineOptions",
    "ErrorMeasures",
    "Hypothesis",
    "Normalizer",
    "Result",
    "Run",
    "Utterance",
    "WinnowError",
    "Word",
    "judge",
    "normalize",
    "open_corpus",
    "open_run",
    "score",
    "transcribe",
]

getLogger("winnow").addFilter(make_printable)

_MODULES = {
    "winnow.api.corpus": ("Corpus", "Utterance", "open_corpus"),
    "winnow.api.judging": ("Decision", "judge"),
    "winnow.api.run": ("Run", "open_run"),
    "winnow.api.scoring": ("score",),
    "winnow.api.transcription": ("transcribe",),
    "winnow.audio.measurements": ("AudioStats",),
    "winnow.engines.inference": ("Result",),
    "winnow.errors": ("WinnowError",),
    "winnow.parameters.engine": ("EngineOptions",),
    "winnow.text.hypothesis": ("Hypothesis", "Word"),
    "winnow.text.metrics": ("ErrorMeasures",),
    "winnow.text.normalize": ("Normalizer", "normalize"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("winnow")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
