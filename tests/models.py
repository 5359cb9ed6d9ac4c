"""NeMo checkpoints of every family with random weights, small enough to make in a test."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile

from demo.fastconformer import MODULES, Size, configuration
from tests.conftest import DEMO
from winnow.engines.nemo.nemo_import import silence_nemo

SIZE = Size(width=32, layers=2, heads=2, channels=32)
LETTERS = list(" abcdefghijklmnopqrstuvwxyz'")
VOCABULARY = 128
DURATIONS = [0, 1, 2, 3, 4]
NLP = "nemo.collections.asr.modules.transformer"


def extract_tokenizer(folder: Path) -> Path:
    """Extract the SentencePiece model of the demo's checkpoints into a folder, as NeMo expects it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(DEMO / "small.nemo") as archive:
        archive.extractall(folder, filter="data")
    for file in folder.iterdir():
        if "_tokenizer." in file.name or "_vocab." in file.name:
            file.rename(folder / file.name.partition("_")[2])
    return folder


def character_ctc(folder: Path) -> Any:
    """Return the class and configuration of a CTC model of characters."""
    from nemo.collections.asr.models import EncDecCTCModel

    config = configuration(SIZE, folder, hybrid=False)
    del config["tokenizer"]
    config["labels"] = LETTERS
    config["decoder"] |= {"vocabulary": LETTERS, "num_classes": len(LETTERS)}
    return EncDecCTCModel, config


def rnnt(folder: Path) -> Any:
    from nemo.collections.asr.models import EncDecRNNTBPEModel

    config = configuration(SIZE, extract_tokenizer(folder), hybrid=True)
    del config["aux_ctc"]
    return EncDecRNNTBPEModel, config


def tdt(folder: Path) -> Any:
    """Return those of a token-and-duration transducer, like parakeet-tdt."""
    kind, config = rnnt(folder)
    config["joint"]["num_extra_outputs"] = len(DURATIONS)
    config["decoding"] |= {"model_type": "tdt", "durations": DURATIONS}
    config["loss"] = {"loss_name": "tdt", "tdt_kwargs": {"durations": DURATIONS, "sigma": 0.02, "omega": 0.1}}
    return kind, config


def prompted(folder: Path) -> Any:
    """Return those of a transducer with the language as its prompt, like nemotron-3.5-asr-streaming."""
    from nemo.collections.asr.models import EncDecRNNTBPEModelWithPrompt

    _, config = rnnt(folder)
    return EncDecRNNTBPEModelWithPrompt, config | language_prompt(config)


def prompted_hybrid(folder: Path) -> Any:
    from nemo.collections.asr.models import EncDecHybridRNNTCTCBPEModelWithPrompt

    config = configuration(SIZE, extract_tokenizer(folder), hybrid=True)
    return EncDecHybridRNNTCTCBPEModelWithPrompt, config | language_prompt(config)


def language_prompt(config: dict[str, Any]) -> dict[str, Any]:
    languages = {"auto": 0, "en-US": 1, "de-DE": 2, "de-AT": 3}
    prompt = {"initialize_prompt_feature": True, "num_prompts": 5, "prompt_dictionary": languages}
    return {"model_defaults": config["model_defaults"] | prompt}


def canary(folder: Path) -> Any:
    """Return those of a multitask model with canary's prompt for English and German."""
    from nemo.collections.asr.models import EncDecMultiTaskModel
    from nemo.collections.common.tokenizers.canary_tokenizer import CanaryTokenizer

    CanaryTokenizer.build_special_tokenizer(["en", "de", "transcribe", "translate"], folder / "special")
    spoken = {language: {"dir": str(extract_tokenizer(folder / language)), "type": "bpe"} for language in ("en", "de")}
    base = configuration(SIZE, folder, hybrid=False)
    width = {"hidden_size": SIZE.width, "inner_size": 64, "num_attention_heads": 2}
    layers = {"num_layers": 2, "attn_score_dropout": 0.0, "attn_layer_dropout": 0.0, "ffn_dropout": 0.1}
    return EncDecMultiTaskModel, {
        "sample_rate": base["sample_rate"],
        "prompt_format": "canary",
        "restore_timestamps_model": False,
        "prompt_defaults": [
            {"role": "user", "slots": {"source_lang": "<|en|>", "target_lang": "<|en|>", "pnc": "<|pnc|>"}}
        ],
        "model_defaults": {"asr_enc_hidden": SIZE.width, "lm_enc_hidden": SIZE.width, "lm_dec_hidden": SIZE.width},
        "tokenizer": {
            "dir": None,
            "type": "agg",
            "langs": {"spl_tokens": {"dir": str(folder / "special"), "type": "bpe"}, **spoken},
            "custom_tokenizer": {
                "_target_": "nemo.collections.common.tokenizers.canary_tokenizer.CanaryTokenizer",
                "tokenizers": None,
            },
        },
        "preprocessor": base["preprocessor"],
        "encoder": base["encoder"],
        "transf_encoder": {
            "_target_": f"{NLP}.transformer_encoders.TransformerEncoder",
            "num_layers": 0,
            **width,
        },
        "transf_decoder": {
            "_target_": f"{NLP}.get_nemo_transformer",
            "model_name": None,
            "pretrained": False,
            "encoder": None,
            "pre_ln_final_layer_norm": True,
            "config_dict": {
                "max_sequence_length": 64,
                "num_token_types": 0,
                "embedding_dropout": 0.1,
                "learn_positional_encodings": False,
                "hidden_act": "relu",
                "pre_ln": True,
                "vocab_size": None,
                **width,
                **layers,
            },
        },
        "head": {
            "_target_": "nemo.collections.asr.parts.submodules.token_classifier.TokenClassifier",
            "num_layers": 1,
            "activation": "relu",
            "log_softmax": True,
            "hidden_size": SIZE.width,
            "num_classes": None,
            "dropout": 0.0,
            "use_transformer_init": True,
        },
        "decoding": {"strategy": "beam", "beam": {"beam_size": 1, "max_generation_delta": 20}},
        "loss": {
            "_target_": "nemo.collections.common.losses.smoothed_cross_entropy.SmoothedCrossEntropyLoss",
            "label_smoothing": 0.0,
            "pad_id": None,
        },
    }


def amplify(model: Any) -> None:
    """Scale weights so that scores depend on the audio more than with random weights, and hypotheses differ."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.startswith(("joint.joint_net", "transf_decoder")) and weight.ndim > 1:
                weight *= 6
            if name == "joint.joint_net.2.bias":
                weight[VOCABULARY] += 1.5  # more blanks
        if hasattr(model, "prompt_kernel"):
            first, _, last = model.prompt_kernel  # passes the audio through, and each prompt adds its own offset
            passed = torch.cat([torch.eye(SIZE.width), -torch.eye(SIZE.width)])
            first.weight[:, : SIZE.width], last.weight[:] = passed, passed.T
            first.weight[:, SIZE.width :] *= 3
        if hasattr(model, "decoder") and hasattr(model.decoder, "decoder_layers"):
            wave = torch.from_numpy(soundfile.read(DEMO / "corpus" / "audio" / "000.flac", dtype="float32")[0])
            features, frames = model.preprocessor(input_signal=wave[None], length=torch.tensor([len(wave)]))
            encoded, _ = model.encoder(audio_signal=features, length=frames)
            model.decoder.decoder_layers[0].weight *= 40
            model.decoder.decoder_layers[0].bias -= model.decoder.decoder_layers(encoded).mean(dim=(0, 2))


def quartznet(folder: Path) -> Any:
    """Return those of a CTC model of characters with a convolutional encoder."""
    kind, config = character_ctc(folder)
    block = {
        "filters": 32,
        "repeat": 1,
        "kernel": [11],
        "stride": [2],
        "dilation": [1],
        "dropout": 0.0,
        "residual": False,
        "separable": True,
    }
    config["encoder"] = {
        "_target_": f"{MODULES}.ConvASREncoder",
        "feat_in": 80,
        "activation": "relu",
        "conv_mask": True,
        "jasper": [block, block],
    }
    return kind, config


FAMILIES: dict[str, Callable[[Path], Any]] = {
    "letters": character_ctc,
    "quartznet": quartznet,
    "rnnt": rnnt,
    "tdt": tdt,
    "prompted transducer": prompted,
    "prompted hybrid": prompted_hybrid,
    "canary": canary,
}


def make_checkpoint(name: str, folder: Path) -> Path:
    """Save a checkpoint of a family with random weights, and return its path."""
    import torch

    with silence_nemo():
        from omegaconf import OmegaConf

        torch.manual_seed(1)
        kind, config = FAMILIES[name](folder)
        model = kind(cfg=OmegaConf.create(config)).eval()
        amplify(model)
        path = folder / f"{name}.nemo"
        model.save_to(str(path))
    return path
