"""Whisper models for CTranslate2: `whisper:` and a folder, a size or a name on the Hugging Face hub."""

from importlib.util import find_spec
from pathlib import Path

from winnow.engines.engine import Checkpoint, Extra, LanguagePrompt, Recogniser
from winnow.engines.folder_engine import FolderEngine
from winnow.engines.model_folder import read_files
from winnow.engines.whisper.folder import FILES, check_folder, is_multilingual
from winnow.errors import CheckpointError
from winnow.imports import installed_version
from winnow.parameters.engine import EngineOptions

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


class WhisperEngine(FolderEngine):
    """OpenAI's Whisper and its relatives, converted for CTranslate2."""

    name = "whisper"
    model_names = "whisper: and a folder with a model for CTranslate2, a size such as base, or a name on the hub"
    prefix = "whisper:"
    patterns = FILES
    families = ("whisper", "whisper-en")
    scores_texts = True

    def raise_if_unknown(self, name: str) -> None:
        raise CheckpointError(f"{name}: neither a folder nor a size ({', '.join(SIZES)}) nor a name on the hub")

    def hub_name(self, name: str) -> tuple[str, str | None] | None:
        place = name.removeprefix(self.prefix)
        return super().hub_name(REPOSITORIES.get(place, place))

    def files_of(self, folder: Path, name: str) -> list[str]:
        check_folder(folder, name)
        return [file for file in FILES if (folder / file).is_file()]

    def family_of(self, folder: Path, name: str) -> str:
        return "whisper" if is_multilingual(folder, name) else "whisper-en"

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        from winnow.engines.whisper.model import WhisperRecogniser

        found = self.find_here(checkpoint)
        files = read_files(found.path, self.files_of(found.path, found.name), found.name, found.sha256)
        return WhisperRecogniser(found, files, options)

    def versions(self) -> dict[str, str]:
        return {package: installed_version(package) for package in ("faster-whisper", "ctranslate2", "tokenizers")}

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        refused = {name: why for name, why in NOT_SUPPORTED.items() if getattr(options, name) not in (None, False)}
        if options.language is not None and self.language_prompt(checkpoint.family) == "none":
            refused["language"] = "requires a model of several languages"
        return refused

    def language_prompt(self, family: str) -> LanguagePrompt:
        return "optional" if family == "whisper" else "none"

    def missing_extra(self) -> str | None:
        return None if find_spec("faster_whisper") else "winnow[whisper]"

    def cannot_give(self, family: str) -> dict[Extra, str]:
        missing: dict[Extra, str] = {"evidence": "null for utterances of more than 30 s"}
        return missing if family == "whisper" else missing | {"spoken language": "it knows English alone"}
