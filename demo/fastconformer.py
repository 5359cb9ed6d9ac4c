"""NeMo's published FastConformer configuration (examples/asr/conf/fastconformer) for any model size."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLE_RATE = 16_000
MODULES = "nemo.collections.asr.modules"

PREPROCESSOR = {
    "_target_": f"{MODULES}.AudioToMelSpectrogramPreprocessor",
    "sample_rate": SAMPLE_RATE,
    "normalize": "per_feature",
    "window_size": 0.025,
    "window_stride": 0.01,
    "window": "hann",
    "features": 80,
    "n_fft": 512,
    "log": True,
    "frame_splicing": 1,
    "dither": 1e-5,
    "pad_to": 0,
    "pad_value": 0.0,
}
SPEC_AUGMENT = {
    "_target_": f"{MODULES}.SpectrogramAugmentation",
    "freq_masks": 2,
    "time_masks": 3,
    "freq_width": 20,
    "time_width": 0.05,
}


@dataclass(frozen=True)
class Size:
    """Size of an encoder: width, layers, attention heads, channels of the subsampling; and its dropout."""

    width: int
    layers: int
    heads: int
    channels: int
    dropout: float = 0.1


def configuration(size: Size, tokens: Path, hybrid: bool) -> dict[str, Any]:
    """Return the configuration of a FastConformer-CTC or hybrid transducer-CTC model.

    `tokens` is the folder of the SentencePiece model.
    """
    ctc = {"_target_": f"{MODULES}.ConvASRDecoder", "feat_in": size.width, "num_classes": -1, "vocabulary": []}
    shared = {
        "sample_rate": SAMPLE_RATE,
        "log_prediction": False,
        "ctc_reduction": "mean_volume",
        "skip_nan_grad": False,
        "tokenizer": {"dir": str(tokens), "type": "bpe"},
        # NeMo's transcribe() needs this section
        "validation_ds": {"manifest_filepath": None, "sample_rate": SAMPLE_RATE, "batch_size": 16, "shuffle": False},
        "preprocessor": PREPROCESSOR,
        "spec_augment": SPEC_AUGMENT,
        "encoder": encoder_config(size),
    }
    return shared | (transducer_config(size, ctc) if hybrid else {"decoder": ctc})


def encoder_config(size: Size) -> dict[str, Any]:
    return {
        "_target_": f"{MODULES}.ConformerEncoder",
        "feat_in": 80,
        "feat_out": -1,
        "n_layers": size.layers,
        "d_model": size.width,
        "subsampling": "dw_striding",
        "subsampling_factor": 8,
        "subsampling_conv_channels": size.channels,
        "causal_downsampling": False,
        "ff_expansion_factor": 4,
        "self_attention_model": "rel_pos",
        "n_heads": size.heads,
        "att_context_size": [-1, -1],
        "att_context_style": "regular",
        "xscaling": True,
        "untie_biases": True,
        "pos_emb_max_len": 5000,
        "conv_kernel_size": 9,
        "conv_norm_type": "batch_norm",
        "dropout": size.dropout,
        "dropout_pre_encoder": size.dropout,
        "dropout_emb": 0.0,
        "dropout_att": size.dropout,
    }


def transducer_config(size: Size, ctc: dict[str, Any]) -> dict[str, Any]:
    """Return the decoders of a hybrid model: prediction and joint network, and the auxiliary CTC decoder."""
    hidden = {"pred_hidden": size.width, "enc_hidden": size.width, "joint_hidden": size.width}
    return {
        "model_defaults": hidden,
        "decoder": {
            "_target_": f"{MODULES}.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": size.width, "pred_rnn_layers": 1, "dropout": 0.1},
        },
        "joint": {
            "_target_": f"{MODULES}.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "fused_batch_size": -1,
            "jointnet": {
                "encoder_hidden": size.width,
                "pred_hidden": size.width,
                "joint_hidden": size.width,
                "activation": "relu",
                "dropout": 0.1,
            },
        },
        "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}},
        "aux_ctc": {"ctc_loss_weight": 0.3, "use_cer": False, "decoder": ctc},
        "loss": {"loss_name": "default"},
    }
