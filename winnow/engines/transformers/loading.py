"""Loading of what was digested: each file is read once, and what transformers opens is made of these bytes alone."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winnow.engines.engine import Checkpoint
from winnow.engines.model_folder import digest_of
from winnow.engines.precision import precision_for
from winnow.engines.transformers.folder import (
    CONFIG,
    GENERATION,
    SETTINGS,
    check_settings,
    files_of,
    is_weights,
    parse_settings,
)
from winnow.errors import CheckpointError, OptionError
from winnow.parameters.engine import EngineOptions

MADE_AT_RANDOM = ("masked_spec_embed",)
"""Weights that only training uses, and that many checkpoints lack."""


@dataclass(frozen=True)
class Loaded:
    """A model on its device, and what prepares its input and writes its output; `processor` is None for CTC models."""

    model: Any
    extractor: Any
    tokenizer: Any
    processor: Any
    family: str
    precision: str


def load(checkpoint: Checkpoint, options: EngineOptions) -> Loaded:
    """Load a checkpoint; raises CheckpointError if it is not what its digest says, or not whole."""
    from transformers.utils import logging

    messages: Any = logging
    messages.set_verbosity_error()
    messages.disable_progress_bar()
    small, tensors = read_all(checkpoint)
    with private_copy(small, checkpoint.name) as folder:
        try:
            return open_files(folder, tensors, checkpoint, options)
        except (CheckpointError, OptionError):
            raise
        except Exception as error:
            raise CheckpointError(f"{checkpoint.name}: transformers cannot open it: {error}") from error


def read_all(checkpoint: Checkpoint) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the content of the small files and the tensors by name, each file read once and compared with the digest.

    Weights are parsed before the digest is known, which safetensors allows: its files are numbers and a table of them.
    """
    from safetensors.torch import load as parse_tensors

    small: dict[str, bytes] = {}
    tensors: dict[str, Any] = {}
    digests: dict[str, str] = {}
    for file in files_of(checkpoint.path, checkpoint.name):
        try:
            content = (checkpoint.path / file).read_bytes()
            digests[file] = hashlib.sha256(content).hexdigest()
            if is_weights(file):
                tensors |= parse_tensors(content)
            else:
                small[file] = content
        except OSError as error:
            raise CheckpointError(f"{checkpoint.name}: {file}: cannot be read: {error.strerror}") from error
        except Exception as error:
            raise CheckpointError(f"{checkpoint.name}: {file}: safetensors cannot open it: {error}") from error
    if (actual := digest_of(digests)) != checkpoint.sha256:
        raise CheckpointError(
            f"{checkpoint.name}: checksum mismatch: expected sha256 {checkpoint.sha256}, got {actual}"
        )
    for tensor_name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(f"{checkpoint.name}: {tensor_name!r}: not all weights are finite")
    return small, tensors


@contextmanager
def private_copy(files: dict[str, bytes], name: str) -> Iterator[Path]:
    """Write small files to a folder that only this user can read, for the time of the block.

    A tokenizer's settings lose the paths of other files that some were saved with.
    """
    with tempfile.TemporaryDirectory(prefix="winnow-") as folder:
        for file, content in files.items():
            written = content
            if file in SETTINGS:
                settings = parse_settings(content, file, name)
                check_settings(settings, file, name)
                written = json.dumps({key: v for key, v in settings.items() if not key.endswith("_file")}).encode()
            (Path(folder) / file).write_bytes(written)
        yield Path(folder)


def open_files(folder: Path, tensors: dict[str, Any], checkpoint: Checkpoint, options: EngineOptions) -> Loaded:
    import torch
    import transformers

    library: Any = transformers
    own = {"trust_remote_code": False, "local_files_only": True}
    config = library.AutoConfig.from_pretrained(folder, **own)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = precision_for(device == "cuda", sum(tensor.numel() for tensor in tensors.values()), options)
    dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    model_class = getattr(library, config.architectures[0])
    model, report = model_class.from_pretrained(
        None, config=config, state_dict=tensors, dtype=dtype, output_loading_info=True
    )
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(MADE_AT_RANDOM))
    if missing or report["mismatched_keys"]:
        wrong = missing or sorted(map(str, report["mismatched_keys"]))
        raise CheckpointError(f"{checkpoint.name}: {len(wrong)} weights are missing or of another shape: {wrong[0]}")
    if model.can_generate():
        whole = (folder / GENERATION).is_file()
        source = {} if whole else {"config_file_name": CONFIG, "_from_model_config": True}
        model.generation_config = library.GenerationConfig.from_pretrained(folder, **source)
    if checkpoint.family == "ctc":
        processor, extractor = None, library.AutoFeatureExtractor.from_pretrained(folder, **own)
        tokenizer = library.AutoTokenizer.from_pretrained(folder, **own)
    else:
        processor = library.AutoProcessor.from_pretrained(folder, **own)
        tokenizer = processor.tokenizer
        extractor = getattr(processor, "feature_extractor", None) or processor.audio_processor
    return Loaded(model.eval().to(device), extractor, tokenizer, processor, checkpoint.family, precision)
