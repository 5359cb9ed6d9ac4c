"""Whisper models for CTranslate2: `whisper:` and a folder, a size or a name on the Hugging Face hub."""

import re
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from winnow.digests import PIN_PREFIX
from winnow.engines.engine import Checkpoint, Engine, Extra, LanguagePrompt, Recogniser
from winnow.engines.whisper.folder import FILES, check_folder, digest_of, file_digests, is_multilingual
from winnow.errors import CheckpointError
from winnow.input_files import expand_home
from winnow.parameters.engine import EngineOptions
from winnow.parameters.redaction import error_line
from winnow.pins import cut_pin, split_pin, without_pin

PREFIX = "whisper:"
HUB_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<commit>[0-9a-f]{40}))?")
SIZES = "tiny tiny.en base base.en small small.en medium medium.en large-v1 large-v2 large-v3 large-v3-turbo".split()
REPOSITORIES = {size: f"Systran/faster-whisper-{size}" for size in SIZES} | {
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo"
}
"""Where faster-whisper has the converted models of OpenAI."""

NOT_SUPPORTED = {
    "decoder": "requires a hybrid NeMo checkpoint",
    "cuda_graphs": "requires a NeMo transducer",
    "local_attention": "requires a NeMo checkpoint with relative positions",
    "target_language": "requires a NeMo checkpoint with a prompt",
    "punctuation": "requires a NeMo checkpoint with a prompt",
}
"""Options of `engine` that no Whisper model can follow, and what they require."""


class WhisperEngine(Engine):
    """OpenAI's Whisper and its relatives, converted for CTranslate2."""

    name = "whisper"
    model_names = "whisper: and a folder with a model for CTranslate2, a size such as base, or a name on the hub"
    families = ("whisper", "whisper-en")
    scores_texts = True

    def claims(self, model_name: str) -> bool:
        return model_name.startswith(PREFIX)

    def check_name(self, model_name: str) -> None:
        name = split_pin(model_name)[0]
        if find_spec("faster_whisper") is None:
            raise CheckpointError(f"{name}: requires faster-whisper: install winnow[whisper]")
        if (folder := local_folder(name)) is not None:
            check_folder(folder, name)
        elif hub_name(name) is None:
            raise CheckpointError(f"{name}: neither a folder nor a size ({', '.join(SIZES)}) nor a name on the hub")

    def resolve(self, model_name: str) -> Checkpoint:
        """Find or download the folder and compute its digest; data alone, it needs no preflight."""
        self.check_name(model_name)
        name, pin = split_pin(model_name)
        folder = local_folder(name) or download(name)
        sha256 = digest_of(file_digests(folder, name))
        if pin and pin != sha256:
            raise CheckpointError(f"{name}: checksum mismatch: expected sha256 {pin}, got {sha256}")
        return Checkpoint(
            name=f"{PREFIX}{folder.absolute()}" if local_folder(name) else name,
            path=folder.absolute(),
            family="whisper" if is_multilingual(folder, name) else "whisper-en",
            sha256=sha256,
            pinned=not self.needs_pin(model_name),
        )

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        from winnow.engines.whisper.model import WhisperRecogniser

        found = checkpoint if checkpoint.path.is_dir() else self.resolve(checkpoint.pinned_name)
        return WhisperRecogniser(found, options)

    def versions(self) -> dict[str, str]:
        return {package: version(package) for package in ("faster-whisper", "ctranslate2", "tokenizers")}

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        refused = {name: why for name, why in NOT_SUPPORTED.items() if getattr(options, name) not in (None, False)}
        if options.language is not None and self.language_prompt(checkpoint.family) == "none":
            refused["language"] = "requires a model of several languages"
        return refused

    def language_prompt(self, family: str) -> LanguagePrompt:
        return "optional" if family == "whisper" else "none"

    def cannot_give(self, family: str) -> dict[Extra, str]:
        missing: dict[Extra, str] = {"evidence": "null for utterances of more than 30 s"}
        return missing if family == "whisper" else missing | {"spoken language": "it knows English alone"}

    def needs_pin(self, model_name: str) -> bool:
        """Tell whether a hub may have other files under the name tomorrow; a local folder is the user's own."""
        name, pin = cut_pin(model_name)
        if pin or local_folder(name) is not None:
            return False
        hub = hub_name(name)
        return hub is None or hub[1] is None

    def current_pin(self, model_name: str) -> str | None:
        folder = self.find_downloaded(model_name)
        name = without_pin(model_name)
        return f"{name}{PIN_PREFIX}{digest_of(file_digests(folder, name))}" if folder else None

    def find_downloaded(self, model_name: str) -> Path | None:
        name = without_pin(model_name)
        folder = local_folder(name)
        if folder is not None:
            return folder if folder.is_dir() else None
        try:
            return snapshot(name, only_here=True)
        except Exception:
            return None

    def bytes_to_download(self, model_name: str) -> int | None:
        return None if self.find_downloaded(model_name) else 0

    def needs_hub(self, model_name: str) -> bool:
        return local_folder(without_pin(model_name)) is None


def local_folder(name: str) -> Path | None:
    """Return the folder that a name is the path of; None for a size or a name on the hub."""
    place = name.removeprefix(PREFIX)
    folder = expand_home(place)
    return folder if place.startswith(("/", "./", "../", "~")) or folder.is_dir() else None


def hub_name(name: str) -> tuple[str, str | None] | None:
    """Return the repository on the hub that a name means, and its commit if there is one."""
    place = name.removeprefix(PREFIX)
    match = HUB_NAME.fullmatch(REPOSITORIES.get(place, place))
    return (match["repository"], match["commit"]) if match else None


def snapshot(name: str, only_here: bool = False) -> Path:
    """Return the folder in the cache of huggingface_hub, which is downloaded unless only what is here is wanted."""
    from huggingface_hub import snapshot_download

    hub = hub_name(name)
    if hub is None:
        raise CheckpointError(f"{name}: not a name on the hub")
    fetch: Callable[..., str] = snapshot_download
    return Path(fetch(hub[0], revision=hub[1], allow_patterns=list(FILES), local_files_only=only_here))


def download(name: str) -> Path:
    """Return the folder of a model from the hub; raises CheckpointError if it is not to be had."""
    try:
        return snapshot(name)
    except Exception as error:
        raise CheckpointError(
            f"{name}: neither in the cache nor available from the hub ({error_line(error)})"
        ) from error
