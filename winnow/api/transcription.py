"""Transcribe audio files with a checkpoint."""

from collections.abc import Iterable
from pathlib import Path

from winnow.api.corpus import Utterance
from winnow.engines.engine import Request
from winnow.engines.inference import Result
from winnow.engines.isolation import transcribe_here
from winnow.engines.registry import needs_language
from winnow.input_files import expand_home
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.validation.engine_options import check_options

DEFAULT_OPTIONS = EngineOptions()


def transcribe(
    audio: Iterable[str | Path | Utterance],
    model: str | Path,
    *,
    trust_unpinned: bool = False,
    options: EngineOptions = DEFAULT_OPTIONS,
) -> list[Result]:
    """Transcribe audio files or utterances of a corpus; return one result for each, in their order.

    `model` is named as for `winnow curate`: a `.nemo` file, a name on the Hugging Face hub or NGC, or a manifest with
    another system's `pred_text`. A name on a hub must be pinned (`…@sha256:…`), or any version accepted with
    `trust_unpinned`.
    Utterances are sorted by length and batched, so pass many at once; the loaded model stays in memory for later calls.

    A result has a `hypothesis`, or the `reason` why there is none: bad audio is not an error. Raises `CheckpointError`
    if the model is not found or fails its preflight, `OptionError` if it cannot follow an option, and `ModelBroken`
    if it fails on everything.
    """
    utterances = [item if isinstance(item, Utterance) else Utterance(0, path=_absolute(item)) for item in audio]
    checkpoint = resolve(str(model), trust_unpinned)
    check_options(options, [checkpoint])
    prompted = needs_language([checkpoint], options)
    requests = [_request(utterance, prompted) for utterance in utterances if utterance.reason is None]
    results = iter(transcribe_here(checkpoint, options, requests)[0])
    return [
        next(results) if item.reason is None else Result(reason=item.reason, detail=item.detail) for item in utterances
    ]


def _absolute(path: str | Path) -> str:
    return str(expand_home(path).absolute())


def _request(utterance: Utterance, prompted: bool) -> Request:
    assert utterance.path is not None, "a row without a path has a reason"
    language = utterance.language if prompted else None
    return Request(
        utterance.path,
        utterance.offset,
        utterance.duration,
        language=language,
        channel=utterance.channel,
        rounding=utterance.duration_rounding or 0.0,
    )
