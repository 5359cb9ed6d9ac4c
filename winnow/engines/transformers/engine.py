"""Models of transformers: `hf:` and a folder or a name on the Hugging Face hub."""

from importlib.util import find_spec
from pathlib import Path

from winnow.engines.engine import Checkpoint, Extra, LanguagePrompt, Recogniser
from winnow.engines.folder_engine import FolderEngine
from winnow.engines.transformers import families, folder
from winnow.imports import installed_version
from winnow.parameters.engine import EngineOptions


class TransformersEngine(FolderEngine):
    """CTC, transducer, encoder-decoder and speech-LLM classes of the installed version of transformers."""

    name = "transformers"
    model_names = "hf: and a folder that transformers saved, or a name on the hub such as facebook/wav2vec2-base-960h"
    prefix = "hf:"
    patterns = (*folder.SMALL_FILES, "model*.safetensors", folder.INDEX)
    families = tuple(families.LANGUAGES)
    scores_texts = True

    def missing_extra(self) -> str | None:
        return None if find_spec("transformers") and find_spec("safetensors") else "winnow[transformers]"

    def files_of(self, folder_: Path, name: str) -> list[str]:
        return folder.files_of(folder_, name)

    def family_of(self, folder_: Path, name: str) -> str:
        for file in folder.SETTINGS:
            if (folder_ / file).is_file():
                folder.check_settings(folder.read_settings(folder_, file, name), file, name)
        return families.family_of(folder.read_settings(folder_, folder.CONFIG, name), name)

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        from winnow.engines.transformers.model import TransformersRecogniser

        return TransformersRecogniser(self.find_here(checkpoint), options)

    def versions(self) -> dict[str, str]:
        return {package: installed_version(package) for package in ("transformers", "tokenizers", "torch")}

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        return families.unsupported_options(checkpoint.family, options)

    def language_prompt(self, family: str) -> LanguagePrompt:
        return families.LANGUAGES.get(family, "none")

    def cannot_give(self, family: str) -> dict[Extra, str]:
        return families.cannot_give(family)
