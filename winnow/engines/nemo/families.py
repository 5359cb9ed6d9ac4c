"""NeMo's families of models that transcribe, and which options each of them can follow."""

from winnow.engines.engine import LanguagePrompt
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions

FAMILIES = {
    "EncDecCTCModel": "ctc",
    "EncDecCTCModelBPE": "ctc",
    "EncDecRNNTModel": "transducer",
    "EncDecRNNTBPEModel": "transducer",
    "EncDecRNNTBPEModelWithPrompt": "prompted transducer",
    "EncDecHybridRNNTCTCModel": "hybrid",
    "EncDecHybridRNNTCTCBPEModel": "hybrid",
    "EncDecHybridRNNTCTCBPEModelWithPrompt": "prompted hybrid",
    "EncDecMultiTaskModel": "multitask",
}
"""The family of each of NeMo's model classes."""

HYBRIDS = {"hybrid", "prompted hybrid"}
TRANSDUCERS = {"transducer", "prompted transducer"} | HYBRIDS

LANGUAGE_PROMPTS: dict[str, LanguagePrompt] = {
    "prompted transducer": "optional",
    "prompted hybrid": "optional",
    "multitask": "required",
}


def family_of(class_name: str, model_name: str) -> str:
    """Return the family of one of NeMo's classes, given with its module."""
    family = FAMILIES.get(class_name.rpartition(".")[2])
    if family is None:
        raise CheckpointError(f"{model_name}: unsupported model class {class_name}: expected {', '.join(FAMILIES)}")
    return family


def unsupported_options(family: str, options: EngineOptions) -> dict[str, str]:
    """Map each option that is set and that a family cannot follow to what it requires."""
    requirements: dict[str, tuple[object, set[str], str]] = {
        "decoder": (options.decoder, HYBRIDS, "a hybrid checkpoint"),
        "cuda_graphs": (options.cuda_graphs, TRANSDUCERS, "a transducer checkpoint"),
        "timestamps": (options.timestamps, {"ctc"} | TRANSDUCERS, "a CTC or transducer checkpoint"),
        "doubtful_words": (options.doubtful_words and not options.evidence, set(), "--engine.evidence"),
        "language": (options.language is not None, set(LANGUAGE_PROMPTS), "a checkpoint with a prompt (canary)"),
        "target_language": (options.target_language is not None, {"multitask"}, "a multitask checkpoint (canary)"),
        "punctuation": (options.punctuation is not None, {"multitask"}, "a multitask checkpoint (canary)"),
    }
    return {
        option: f"requires {requirement}"
        for option, (is_set, families, requirement) in requirements.items()
        if is_set and family not in families
    }
