"""NeMo's checkpoints for speech recognition: `.nemo` files, from a path, the Hugging Face hub or NVIDIA's NGC."""

import functools
import logging
from pathlib import Path

from winnow.digests import PIN_PREFIX
from winnow.engines.checkpoint_cache import checkpoint_digest
from winnow.engines.engine import Checkpoint, Engine, Extra, LanguagePrompt, Recogniser
from winnow.engines.hub import bytes_to_download
from winnow.engines.nemo.families import FAMILIES, LANGUAGE_PROMPTS, unsupported_options
from winnow.engines.nemo.locate import (
    COMMIT,
    HUB_NAME,
    NGC_NAME,
    current_commit,
    find_downloaded,
    locate,
    parse_hub_name,
    raise_if_unlisted,
)
from winnow.engines.nemo.nemo_import import import_asr_models
from winnow.engines.nemo.preflight import find_copy, run_preflight
from winnow.errors import CheckpointError
from winnow.imports import installed_version
from winnow.parameters.engine import EngineOptions
from winnow.parameters.redaction import error_line
from winnow.pins import cut_pin, split_pin, without_pin

log = logging.getLogger("winnow")

LIMITATIONS: dict[Extra, str] = {
    "spoken language": "NeMo's models do not tell it",
    "no speech": "NeMo's models do not tell it",
    "long audio": "read at once, as far as memory and the model's training allow (engine.local_attention)",
}
"""What no family gives."""


class NemoEngine(Engine):
    """CTC, transducer (RNNT, TDT), hybrid and multitask (AED) checkpoints."""

    name = "nemo"
    model_names = "a .nemo file, a name on the Hugging Face hub such as nvidia/parakeet-tdt_ctc-110m, or a name on NGC"
    suffixes = (".nemo",)
    families = tuple(dict.fromkeys(FAMILIES.values()))
    scores_texts = True

    def claims(self, model_name: str) -> bool:
        return (
            model_name.endswith(self.suffixes)
            or HUB_NAME.fullmatch(model_name) is not None
            or NGC_NAME.fullmatch(model_name) is not None
        )

    def needs_pin(self, model_name: str) -> bool:
        """Tell whether a hub may have another file under the name tomorrow; a local file is the user's own."""
        return not (without_pin(model_name).endswith(self.suffixes) or is_pinned(model_name))

    def current_pin(self, model_name: str) -> str | None:
        if path := find_downloaded(model_name):
            return f"{model_name}{PIN_PREFIX}{checkpoint_digest(path, model_name)}"
        if self.needs_hub(model_name):
            return current_commit(model_name)
        raise_if_unlisted(model_name)
        return None

    def resolve(self, model_name: str) -> Checkpoint:
        """Locate or download the file and make the private copy of it, which passes the preflight.

        `@sha256:` and the file's digest pin any name, `@` and a commit one on the Hugging Face hub.
        """
        name, pin = split_pin(model_name)
        path = locate(name)
        sha256 = pin or checkpoint_digest(path, name)
        copy = run_preflight(path, name, sha256)
        shown = str(path.absolute()) if name.endswith(self.suffixes) else name
        checkpoint = Checkpoint(
            name=shown,
            path=copy.path,
            family=copy.family,
            sha256=sha256,
            pinned=is_pinned(model_name),
        )
        if not checkpoint.pinned:
            log_pin(f"{name}{PIN_PREFIX}{sha256}")
        return checkpoint

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        from winnow.engines.nemo.model import NemoModel

        copy = find_copy(checkpoint.sha256)
        path = copy.path if copy else self.resolve(checkpoint.pinned_name).path
        return NemoModel(checkpoint.model_copy(update={"path": path}), options)

    def versions(self) -> dict[str, str]:
        return {package: installed_version(package) for package in ("nemo_toolkit", "torch")}

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        return unsupported_options(checkpoint.family, options)

    def language_prompt(self, family: str) -> LanguagePrompt:
        return LANGUAGE_PROMPTS.get(family, "none")

    def cannot_give(self, family: str) -> dict[Extra, str]:
        return LIMITATIONS | ({"word times": "multitask models have none"} if family == "multitask" else {})

    def preload(self) -> None:
        import_asr_models()

    def find_downloaded(self, model_name: str) -> Path | None:
        return find_downloaded(model_name)

    def bytes_to_download(self, model_name: str) -> int | None:
        name, _ = split_pin(model_name)
        if name.endswith(self.suffixes):
            return None
        if not self.needs_hub(name):
            return None if find_downloaded(name) else 0
        try:
            return bytes_to_download(*parse_hub_name(name))
        except Exception as error:
            raise CheckpointError(
                f"{name}: neither in the cache nor available from the hub ({error_line(error)})"
            ) from error

    def needs_hub(self, model_name: str) -> bool:
        name = without_pin(model_name)
        return not name.endswith(self.suffixes) and HUB_NAME.fullmatch(name) is not None


def is_pinned(model_name: str) -> bool:
    """Tell whether a name means one file and no other."""
    return cut_pin(model_name)[1] != "" or COMMIT.fullmatch(model_name) is not None


@functools.cache
def log_pin(pinned_name: str) -> None:
    """Log, once, how to pin the file that a name means today."""
    log.info("to pin today's file: %s", pinned_name)
