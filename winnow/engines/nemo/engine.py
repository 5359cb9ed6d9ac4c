"""NeMo's checkpoints for speech recognition: `.nemo` files, from a path, the Hugging Face hub or NVIDIA's NGC."""

from importlib.metadata import version
from pathlib import Path

from winnow.engines.checkpoint_cache import checkpoint_digest, private_copy
from winnow.engines.engine import PIN_PREFIX, Checkpoint, Engine, LanguagePrompt, Recogniser, split_pin
from winnow.engines.hub import bytes_to_download
from winnow.engines.nemo.families import FAMILIES, LANGUAGE_PROMPTS, family_of, unsupported_options
from winnow.engines.nemo.locate import COMMIT, HUB_NAME, NGC_NAME, find_downloaded, locate, parse_hub_name
from winnow.engines.nemo.nemo_import import import_asr_models
from winnow.engines.nemo.preflight import run_preflight
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions
from winnow.parameters.redaction import error_line


class NemoEngine(Engine):
    """CTC, transducer (RNNT, TDT), hybrid and multitask (AED) checkpoints."""

    name = "nemo"
    model_names = "a .nemo file, a name on the Hugging Face hub such as nvidia/parakeet-tdt_ctc-110m, or a name on NGC"
    suffixes = (".nemo",)
    families = tuple(dict.fromkeys(FAMILIES.values()))

    def claims(self, model_name: str) -> bool:
        return (
            model_name.endswith(self.suffixes)
            or HUB_NAME.fullmatch(model_name) is not None
            or NGC_NAME.fullmatch(model_name) is not None
        )

    def resolve(self, model_name: str, trust_unpinned: bool = False) -> Checkpoint:
        """Locate or download the file, copy it into the private cache and run the preflight on the copy.

        `@sha256:` and the file's digest pin any name, `@` and a commit one on the Hugging Face hub.
        """
        name, pin = split_pin(model_name)
        path = locate(name)
        sha256 = pin or checkpoint_digest(path, name)
        pinned = bool(pin or COMMIT.fullmatch(name))
        if not pinned and not trust_unpinned:
            raise CheckpointError(
                f"{name}: not pinned, so it may be another file tomorrow; pin today's as {name}{PIN_PREFIX}{sha256}, "
                "or accept any with --trust-unpinned (trust_unpinned)"
            )
        copy = private_copy(path, name, sha256)
        family = family_of(run_preflight(copy, name), name)
        shown = str(path.absolute()) if name.endswith(self.suffixes) else name
        return Checkpoint(name=shown, path=copy, family=family, sha256=sha256, pinned=pinned)

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        from winnow.engines.nemo.model import NemoModel

        if not checkpoint.path.exists():
            checkpoint = self.resolve(checkpoint.pinned_name)
        return NemoModel(checkpoint, options)

    def versions(self) -> dict[str, str]:
        return {package: version(package) for package in ("nemo_toolkit", "torch")}

    def refuses(self, checkpoint: Checkpoint, options: EngineOptions) -> dict[str, str]:
        return unsupported_options(checkpoint.family, options)

    def language_prompt(self, family: str) -> LanguagePrompt:
        return LANGUAGE_PROMPTS.get(family, "none")

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
        name = model_name.partition(PIN_PREFIX)[0]
        return not name.endswith(self.suffixes) and HUB_NAME.fullmatch(name) is not None
