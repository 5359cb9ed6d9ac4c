"""Families of transformers' models that transcribe, told by the classes that the installed version has for them."""

import inspect
from typing import Any

from winnow.engines.engine import Extra, LanguagePrompt
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions

FRAMEWISE = ("ctc", "transducer", "prompted transducer")
"""Families whose tokens have frames."""

LANGUAGES: dict[str, LanguagePrompt] = {
    "ctc": "none",
    "transducer": "none",
    "prompted transducer": "optional",
    "whisper": "optional",
    "whisper-en": "none",
    "encoder-decoder": "none",
    "prompted": "required",
    "speech-llm": "none",
    "multilingual-speech-llm": "optional",
}
"""Whether the models of each family get the language."""

ENGLISH_WHISPER = 51_864  # tokens in the vocabulary of Whisper for English alone; others have more
NOT_SPEECH_TO_TEXT = ("Dia", "Pop2Piano", "VibeVoiceFor")
"""How the names of classes begin that transformers counts among speech models, but that do not write texts."""


def family_of(config: dict[str, Any], name: str) -> str:
    """Return the family of a configuration; raises CheckpointError if Winnow cannot ask its model for a transcript."""
    from transformers.models.auto import modeling_auto as auto

    classes = config.get("architectures")
    model_class = classes[0] if isinstance(classes, list) and classes and isinstance(classes[0], str) else ""
    if model_class in auto.MODEL_FOR_CTC_MAPPING_NAMES.values():
        return "ctc"
    transducers = [auto.MODEL_FOR_RNNT_MAPPING_NAMES, auto.MODEL_FOR_TDT_MAPPING_NAMES]
    if model_class in transducers[0].values() or model_class in transducers[1].values():
        processor = processor_class(str(config.get("model_type")))
        told = processor and "language" in inspect.signature(processor.__call__).parameters
        return "prompted transducer" if told else "transducer"
    if model_class == "WhisperForConditionalGeneration":
        return "whisper-en" if config.get("vocab_size") == ENGLISH_WHISPER else "whisper"
    speech = {
        *auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES.values(),
        *auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES.values(),
    }
    family = generator_family(config, model_class) if model_class in speech else None
    if family is None:
        raise CheckpointError(
            f"{name}: unsupported model class {model_class or None!r} (architectures in config.json): expected one of "
            "transformers with a CTC or transducer head, or one that writes a transcript when it is asked to"
        )
    return family


def generator_family(config: dict[str, Any], model_class: str) -> str | None:
    """Return the family of a model that writes a text token by token; None if it is not made to transcribe."""
    import transformers

    if model_class.startswith(NOT_SPEECH_TO_TEXT):
        return None
    processor = processor_class(str(config.get("model_type")))
    request = getattr(processor, "apply_transcription_request", None)
    if request is not None:
        parameters = inspect.signature(request).parameters
        if "model_id" in parameters:  # it needs the name on a hub, and another library
            return None
        if "source_language" in parameters:
            return "prompted"
        return "multilingual-speech-llm" if "language" in parameters else "speech-llm"
    if hasattr(processor, "get_decoder_prompt_ids") and "language" in inspect.signature(processor.__call__).parameters:
        return "prompted"
    reads_sound = getattr(transformers, model_class).main_input_name in ("input_features", "input_values")
    return "encoder-decoder" if reads_sound and config.get("is_encoder_decoder") else None


def processor_class(model_type: str) -> Any:
    """Return the class of the processor of a type of models, or None."""
    import transformers
    from transformers.models.auto import processing_auto

    names: Any = processing_auto.PROCESSOR_MAPPING_NAMES
    return getattr(transformers, names.get(model_type) or "", None)


def unsupported_options(family: str, options: EngineOptions) -> dict[str, str]:
    """Map each option that is set and that a family cannot follow to what it requires."""
    refused = {
        "decoder": (options.decoder, "a hybrid NeMo checkpoint"),
        "cuda_graphs": (options.cuda_graphs, "a NeMo transducer"),
        "local_attention": (options.local_attention, "a NeMo checkpoint with relative positions"),
        "timestamps": (options.timestamps and family not in FRAMEWISE, "a CTC or transducer model"),
        "language": (options.language is not None and LANGUAGES[family] == "none", "a model that is told the language"),
        "target_language": (options.target_language is not None, "a NeMo checkpoint with a prompt"),
        "punctuation": (options.punctuation is not None, "a NeMo checkpoint with a prompt"),
    }
    return {option: f"requires {requirement}" for option, (is_set, requirement) in refused.items() if is_set}


def cannot_give(family: str) -> dict[Extra, str]:
    """Map what models of a family never give, or not always, to why or when."""
    missing: dict[Extra, str] = {"no speech": "transformers' models do not tell it"}
    if family not in FRAMEWISE:
        missing["word times"] = "only CTC models and transducers have them"
    if family == "multilingual-speech-llm":
        missing["spoken language"] = "null unless the model is told it, or writes it before the text"
    elif family not in ("whisper", "prompted"):
        missing["spoken language"] = "only Whisper and models that are told the language have it"
    if family.startswith("whisper"):
        missing["evidence"] = missing["confidence"] = "null for utterances of more than 30 s"
    elif family.endswith("speech-llm"):
        missing["evidence"] = "not computed for language models that hear"
    if not family.startswith("whisper"):
        missing["long audio"] = "read at once, as far as memory and the model allow; refused above a limit of its own"
    return missing
