"""Folders of transformers' models: the files that are read, and the rules that they pass before any is opened.

Only configurations, vocabularies and weights in safetensors are read: texts and numbers. Pickles, scripts and
adapters are not even copied, and a configuration that asks for code or weights from elsewhere is refused.
"""

import json
import re
from pathlib import Path
from typing import Any

from winnow.errors import CheckpointError

CONFIG, GENERATION = "config.json", "generation_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SETTINGS = (
    CONFIG,
    GENERATION,
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.json",
)
"""Files with settings, which the rules apply to."""

VOCABULARIES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "added_tokens.json",
    "normalizer.json",
    "chat_template.jinja",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)
SMALL_FILES = (*SETTINGS, *VOCABULARIES)
SHARD = re.compile(r"[\w-][\w.-]*\.safetensors")
MAX_SETTINGS = 2**22  # bytes

FORBIDDEN = {
    "auto_map": "asks for code of its own, which is never run",
    "quantization_config": "has quantized weights: save it again in fp32, fp16 or bf16",
    "fusion_config": "asks for other code than the model's own",
    "audio_tokenizer": "asks for a further model, which is never loaded",
}
"""Settings that are refused, and why."""

KERNELS = ("attn_implementation", "experts_implementation")
"""Ends of the names of settings that can name code on a hub."""


def files_of(folder: Path, name: str) -> list[str]:
    """Return the names of a model's files; raises CheckpointError unless the folder has the necessary ones."""
    if not folder.is_dir():
        raise CheckpointError(f"{name}: no such folder")
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{name}: not a model of transformers, because {CONFIG} is missing")
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(f"{name}: has an adapter beside the model: merge them, and save the result")
    return [file for file in SMALL_FILES if (folder / file).is_file()] + weight_files(folder, name)


def weight_files(folder: Path, name: str) -> list[str]:
    """Return the file of the weights, or their index and the files that it lists."""
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if not (folder / INDEX).is_file():
        raise CheckpointError(
            f"{name}: {WEIGHTS} is missing; weights in other formats can run code, and are not opened: load them where "
            "you trust them, and save them with save_pretrained()"
        )
    shards = read_settings(folder, INDEX, name).get("weight_map")
    files = sorted(set(map(str, shards.values()))) if isinstance(shards, dict) else []
    if not files or not all(map(SHARD.fullmatch, files)):
        raise CheckpointError(f"{name}: {INDEX}: expected names of files in the same folder, got {files!r:.200}")
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise CheckpointError(f"{name}: {', '.join(missing)} is missing, which {INDEX} lists")
    return [INDEX, *files]


def is_weights(file: str) -> bool:
    return file.endswith(".safetensors")


def read_settings(folder: Path, file: str, name: str) -> dict[str, Any]:
    """Return a file's settings; raises CheckpointError if it is not an object in JSON."""
    try:
        with (folder / file).open("rb") as opened:
            content = opened.read(MAX_SETTINGS + 1)
    except OSError as error:
        raise CheckpointError(f"{name}: {file}: cannot be read: {error.strerror}") from error
    return parse_settings(content, file, name)


def parse_settings(content: bytes, file: str, name: str) -> dict[str, Any]:
    try:
        settings = json.loads(content) if len(content) <= MAX_SETTINGS else None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name}: {file}: not JSON: {error!r:.200}") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{name}: {file}: expected an object of at most {MAX_SETTINGS:,} bytes")
    return settings


def check_settings(settings: Any, file: str, name: str) -> None:
    """Raise CheckpointError if settings, or settings in them, ask for code or weights from elsewhere."""
    if isinstance(settings, list):
        for value in settings:
            check_settings(value, file, name)
    if not isinstance(settings, dict):
        return
    for key, value in settings.items():
        if key in FORBIDDEN and value:
            raise CheckpointError(f"{name}: failed its preflight: {file}: {key}: {FORBIDDEN[key]}")
        if key.endswith(KERNELS) and isinstance(value, str) and "/" in value:
            raise CheckpointError(f"{name}: failed its preflight: {file}: {key}: asks for code from a hub: {value!r}")
        check_settings(value, file, name)
