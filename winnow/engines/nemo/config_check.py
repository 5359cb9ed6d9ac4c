"""What a model's configuration may say: which of NeMo's classes it is made of, and nothing of files but its own.

NeMo makes an object of every mapping with a `_target_`, opens the files that some keys name, and has some of them
fetched. So classes come from a few of NeMo's packages, and files from the checkpoint.
"""

import importlib
import re
from collections.abc import Iterator
from typing import IO, Any

import yaml

from winnow.engines.nemo.archive import MAX_CONFIG_BYTES, RuleViolation
from winnow.engines.nemo.nemo_import import silence_nemo

MAX_DEPTH = 50  # of mappings and lists; NeMo's have about ten

MODEL_CLASS = re.compile(r"nemo\.collections\.asr\.models(\.\w+)?\.EncDec\w+")
PART_CLASS = re.compile(r"nemo\.collections\.(asr|common)\.(modules|losses|metrics)(\.[a-z]\w*)*\.[A-Z]\w*")
EXTRA_PARTS = {
    # canary's decoder and its head lie elsewhere; the first is a function
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
"""What NeMo opens: nothing, or a file of the checkpoint."""
REMOTE_KEYS = set(
    """trust_remote_code pretrained pretrained_model_name pretrained_model_name_or_path init_from_pretrained_model
    init_from_nemo_model init_from_ptl_ckpt""".split()
)
"""What has a model fetched or opened, or code that came with one run."""


class Loader(yaml.CSafeLoader):
    """Mappings of which every key is there once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys) or "<<" in keys:
            line = node.start_mark.line + 1 if node.start_mark else "?"
            raise RuleViolation(f"line {line}: a mapping with a key twice, or of which one is merged in")
        return super().construct_mapping(node, deep)


def read_config(file: IO[bytes]) -> dict[str, Any]:
    """A configuration of mappings, lists and plain values."""
    try:
        text = file.read(MAX_CONFIG_BYTES).decode()
        check_syntax(text)
        found = yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise RuleViolation(f"no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise RuleViolation(f"no mapping, but {type(found).__name__}")
    return found


def check_syntax(text: str) -> None:
    """Nothing that makes more of a document than is written in it."""
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        line = f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"
        if anchor := getattr(event, "anchor", None):
            raise RuleViolation(f"{line}: an alias ({anchor})")
        if tag := getattr(event, "tag", None):
            raise RuleViolation(f"{line}: a tag ({tag})")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RuleViolation(f"{line}: nested more than {MAX_DEPTH} deep")


def check_config(config: dict[str, Any], members: set[str]) -> None:
    """Refuse what names a class, a file or a model that is not the checkpoint's own."""
    if "model" in config or "params" in config:
        raise RuleViolation(
            f"{'model' if 'model' in config else 'params'}: NeMo would take it for the configuration itself"
        )
    if "target" not in config:
        raise RuleViolation("no target: it does not say which model it is")
    for place, key, value in walk_entries(config):
        check_entry(place, key, value, members)
    if config.get("tokenizer") is not None:
        check_tokenizer("tokenizer", config["tokenizer"], members)


def walk_entries(value: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every entry of the mappings and lists, with its place; an item of a list has no key."""
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for number, (key, item) in enumerate(pairs):
        where = f"{place}.{number if key is None else key}".lstrip(".")
        yield where, key, item
        if isinstance(item, dict | list):
            yield from walk_entries(item, where)


def check_entry(place: str, key: Any, value: Any, members: set[str]) -> None:
    if "${" in str(key) or (isinstance(value, str) and "${" in value):
        raise RuleViolation(f"{place}: an interpolation ({value!r}); NeMo saves what it comes to")
    if key in ("_target_", "cls"):
        check_part(place, value)
    elif key == "target" and not (isinstance(value, str) and MODEL_CLASS.fullmatch(value)):
        raise RuleViolation(f"{place}: {value!r} is none of NeMo's models for speech")
    elif re.fullmatch(r"_.*_", str(key)):
        raise RuleViolation(f"{place}: changes how objects are made")
    elif key in REMOTE_KEYS and value:
        raise RuleViolation(f"{place}: {value!r} would be fetched, opened or run from elsewhere")
    elif (key in FILE_KEYS and value not in (None, "")) or (isinstance(value, str) and value.startswith("nemo:")):
        check_file(place, value, members)


def check_part(place: str, name: Any) -> None:
    """Refuse what is not made of NeMo's modules, losses and metrics."""
    own = TOKENIZER_CLASSES if place == "tokenizer.custom_tokenizer._target_" else EXTRA_PARTS
    if not isinstance(name, str) or not (name in own or (PART_CLASS.fullmatch(name) and is_nemo_module(name))):
        raise RuleViolation(f"{place}: {name!r} is none of NeMo's classes that models are made of")


def is_nemo_module(name: str) -> bool:
    """Whether it is a class of NeMo's own that lies where its name says, and not one that is only imported there."""
    import torch

    package, _, own = name.rpartition(".")
    try:
        with silence_nemo():
            found = getattr(importlib.import_module(package), own, None)
    except ImportError:
        return False
    found = getattr(found, "__wrapped__", found)  # NeMo marks some as experimental
    return isinstance(found, type) and issubclass(found, torch.nn.Module) and found.__module__.startswith("nemo.")


def check_file(place: str, value: Any, members: set[str]) -> None:
    """Refuse a file that is not the checkpoint's own."""
    if not isinstance(value, str) or not value.startswith("nemo:"):
        raise RuleViolation(f"{place}: {value!r} is no file of the checkpoint (nemo:…)")
    if value.removeprefix("nemo:") not in members:
        raise RuleViolation(f"{place}: {value!r} is not in the checkpoint")


def check_tokenizer(place: str, config: Any, members: set[str]) -> None:
    """Refuse a tokenizer that NeMo would look for outside of the checkpoint."""
    if not isinstance(config, dict) or "params" in config:
        raise RuleViolation(f"{place}: no plain tokenizer")
    kind = str(config.get("type")).lower()
    if kind == "agg" and place == "tokenizer" and isinstance(config.get("langs"), dict):
        for language, one in config["langs"].items():
            check_tokenizer(f"{place}.langs.{language}", one, members)
    elif kind == "bpe":
        for key in ("model_path", "vocab_path"):
            check_file(f"{place}.{key}", config.get(key), members)
    else:
        raise RuleViolation(f"{place}.type: {kind!r} needs files from elsewhere; bpe and agg (of bpe) are read")
    if "custom_tokenizer" in config and not isinstance(config["custom_tokenizer"], dict):
        raise RuleViolation(f"{place}.custom_tokenizer: {config['custom_tokenizer']!r} is no tokenizer of canary's")
