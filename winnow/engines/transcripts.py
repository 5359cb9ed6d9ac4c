"""Precomputed hypotheses: a NeMo manifest with `pred_text`, which another system wrote."""

from pathlib import Path
from typing import Any

from winnow.engines.batching import BatchLimits
from winnow.engines.engine import (
    Batch,
    Checkpoint,
    Engine,
    Extra,
    MissingTranscript,
    Recogniser,
    Request,
    find_model_file,
)
from winnow.engines.transcript_index import index_of
from winnow.errors import CheckpointError
from winnow.input_files import expand_home
from winnow.parameters.engine import EngineOptions
from winnow.pins import split_pin
from winnow.text.hypothesis import Hypothesis


class TranscriptEngine(Engine):
    """Files of transcripts, in the place of a model that was run elsewhere."""

    name = "transcripts"
    model_names = "a .jsonl file of transcripts"
    suffixes = (".jsonl", ".json", ".csv", ".tsv", ".jsonl.gz", ".json.gz")  # some only to say how to convert them
    families = ("transcripts",)
    precomputed = True

    def claims(self, model_name: str) -> bool:
        return model_name.endswith(self.suffixes)

    def resolve(self, model_name: str) -> Checkpoint:
        """Describe the file where it is; it is data, so it needs neither a pin nor a preflight."""
        name, pin = split_pin(model_name)
        if pin:
            raise CheckpointError(f"{model_name}: a file of transcripts cannot be pinned: give {name}")
        path = find_model_file(name).absolute()
        return Checkpoint(name=str(path), path=path, family="transcripts", sha256=index_of(path).sha256)

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        return PrecomputedHypotheses(checkpoint)

    def versions(self) -> dict[str, str]:
        return {}

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        requested = {
            "decoder": options.decoder is not None,
            "cuda_graphs": bool(options.cuda_graphs),
            "timestamps": options.timestamps,
            "doubtful_words": options.doubtful_words,
            "language": options.language is not None,
            "target_language": options.target_language is not None,
            "punctuation": options.punctuation is not None,
        }
        return {option: "requires a model that is run here" for option, is_set in requested.items() if is_set}

    def cannot_give(self, family: str) -> dict[Extra, str]:
        return {
            "evidence": "nothing is run, so there are no likelihoods",
            "confidence": "null unless the file has it",
            "word times": "a file has texts alone",
            "spoken language": "a file has texts alone",
            "no speech": "a file has texts alone",
        }

    def find_downloaded(self, model_name: str) -> Path | None:
        path = expand_home(model_name)
        return path if path.is_file() else None


class PrecomputedHypotheses:
    """A file of transcripts, in the place of a loaded model."""

    sample_rate = 16_000
    threads = 1
    batches_per_call = 1

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.path = checkpoint.path
        self.batch_limits = BatchLimits(600)
        self.runtime: dict[str, Any] = {}
        self.transcripts = index_of(checkpoint.path)
        if self.transcripts.sha256 != checkpoint.sha256:
            raise CheckpointError(
                f"{checkpoint.name}: changed during the run: its sha256 was {checkpoint.sha256}, now "
                f"{self.transcripts.sha256}: restore it, or choose another output"
            )

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        return [self.hypothesis_for(request) for batch in batches for request, _ in batch]

    def hypothesis_for(self, request: Request) -> Hypothesis:
        hypothesis = self.transcripts.find(request.path, request.offset, request.duration, request.channel)
        if hypothesis is None:
            channel = f", channel {request.channel}" if request.channel else ""
            place = f"{request.path} at {request.offset or 0.0} s{channel}"
            raise MissingTranscript(f"{self.path}: no transcript of {place}")
        return hypothesis

    def peak_device_bytes(self) -> int | None:
        return None
