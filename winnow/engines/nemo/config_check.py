"""Rules for a model's configuration: only classes of NeMo's models, and only the checkpoint's own files.

NeMo instantiates every mapping with a `_target_`, opens the files that some keys name, and downloads others. So classes
must come from a few of NeMo's packages, and files from the checkpoint.
"""

import importlib
import re
from collections.abc import Iterator
from typing import Any

from winnow.engines.nemo.archive import RuleViolation
from winnow.engines.nemo.nemo_import import silence_nemo

MODEL_CLASS = re.compile(r"nemo\.collections\.asr\.models(\.\w+)?\.EncDec\w+")
PART_CLASS = re.compile(r"nemo\.collections\.(asr|common)\.(modules|losses|metrics)(\.[a-z]\w*)*\.[A-Z]\w*")
EXTRA_PARTS = {
    # canary's decoder and its head are in other packages; the first is a function
    "nemo.collections.asr.modules.transformer.get_nemo_transformer",
    "nemo.collections.asr.modules.transformer.transformer_utils.get_nemo_transformer",
    "nemo.collections.asr.parts.submodules.token_classifier.TokenClassifier",
}
TOKENIZER_CLASSES = {
    "nemo.collections.common.tokenizers.canary_tokenizer.CanaryTokenizer",
    "nemo.collections.common.tokenizers.canary_tokenizer.CanaryBPETokenizer",
}
FILE_KEYS = set(
    """model_path vocab_path spe_tokenizer_vocab vocab_file kenlm_path kenlm_model ngram_lm_model lm_path arpa_lm_path
    wfst_lm_path lexicon_path boost_path key_phrases_file checkpoint_path restore_path""".split()
)
"""Keys whose files NeMo opens; they must be empty or name a file of the checkpoint."""
REMOTE_KEYS = set(
    """trust_remote_code pretrained pretrained_model_name pretrained_model_name_or_path init_from_pretrained_model
    init_from_nemo_model init_from_ptl_ckpt""".split()
)
"""Keys that make NeMo download or open another model, or run the code that came with one; they must be empty."""


def check_config(config: dict[str, Any], members: set[str]) -> None:
    """Refuse a configuration that names a class, file or model other than NeMo's and the checkpoint's own."""
    if "model" in config or "params" in config:
        raise RuleViolation(
            f"{'model' if 'model' in config else 'params'}: NeMo would take this key for the whole configuration"
        )
    if "target" not in config:
        raise RuleViolation("target is missing: the class of the model is unknown")
    for place, key, value in walk_entries(config):
        check_entry(place, key, value, members)
    if config.get("tokenizer") is not None:
        check_tokenizer("tokenizer", config["tokenizer"], members)


def walk_entries(value: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the place, key and value of every entry of mappings and lists; an item of a list has no key."""
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for number, (key, item) in enumerate(pairs):
        where = f"{place}.{number if key is None else key}".lstrip(".")
        yield where, key, item
        if isinstance(item, dict | list):
            yield from walk_entries(item, where)


def check_entry(place: str, key: Any, value: Any, members: set[str]) -> None:
    if "${" in str(key) or (isinstance(value, str) and "${" in value):
        raise RuleViolation(f"{place}: interpolation {value!r} is not allowed: NeMo saves resolved values")
    if key in ("_target_", "cls"):
        check_part(place, value)
    elif key == "target" and not (isinstance(value, str) and MODEL_CLASS.fullmatch(value)):
        raise RuleViolation(f"{place}: {value!r} is not one of NeMo's speech models")
    elif re.fullmatch(r"_.*_", str(key)):
        raise RuleViolation(f"{place}: this key changes how objects are created")
    elif key in REMOTE_KEYS and value:
        raise RuleViolation(f"{place}: {value!r} would be downloaded, opened or run from outside the checkpoint")
    elif (key in FILE_KEYS and value not in (None, "")) or (isinstance(value, str) and value.startswith("nemo:")):
        check_file(place, value, members)


def check_part(place: str, name: Any) -> None:
    """Refuse a class that is not one of NeMo's modules, losses and metrics."""
    allowed = TOKENIZER_CLASSES if place == "tokenizer.custom_tokenizer._target_" else EXTRA_PARTS
    if not isinstance(name, str) or not (name in allowed or (PART_CLASS.fullmatch(name) and is_nemo_module(name))):
        raise RuleViolation(f"{place}: {name!r} is not one of NeMo's model components")


def is_nemo_module(name: str) -> bool:
    """Tell whether a name is a module class of NeMo's own, and not one that is merely imported there."""
    import torch

    package, _, class_name = name.rpartition(".")
    try:
        with silence_nemo():
            part = getattr(importlib.import_module(package), class_name, None)
    except ImportError:
        return False
    part = getattr(part, "__wrapped__", part)  # NeMo wraps those that it marks as experimental
    return isinstance(part, type) and issubclass(part, torch.nn.Module) and part.__module__.startswith("nemo.")


def check_file(place: str, value: Any, members: set[str]) -> None:
    """Refuse a file that is not in the checkpoint."""
    if not isinstance(value, str) or not value.startswith("nemo:"):
        raise RuleViolation(f"{place}: {value!r} is not a file of the checkpoint (nemo:…)")
    if value.removeprefix("nemo:") not in members:
        raise RuleViolation(f"{place}: {value!r} is not in the checkpoint")


def check_tokenizer(place: str, config: Any, members: set[str]) -> None:
    """Refuse a tokenizer whose files are not in the checkpoint."""
    if not isinstance(config, dict) or "params" in config:
        raise RuleViolation(f"{place}: expected a mapping with a type and files, without params")
    kind = str(config.get("type")).lower()
    if kind == "agg" and place == "tokenizer" and isinstance(config.get("langs"), dict):
        for language, tokenizer in config["langs"].items():
            check_tokenizer(f"{place}.langs.{language}", tokenizer, members)
    elif kind == "bpe":
        for key in ("model_path", "vocab_path"):
            check_file(f"{place}.{key}", config.get(key), members)
    else:
        raise RuleViolation(
            f"{place}.type: {kind!r} needs files from outside the checkpoint: expected bpe, or agg of bpe"
        )
    if "custom_tokenizer" in config and not isinstance(config["custom_tokenizer"], dict):
        raise RuleViolation(f"{place}.custom_tokenizer: {config['custom_tokenizer']!r} is not a mapping")
