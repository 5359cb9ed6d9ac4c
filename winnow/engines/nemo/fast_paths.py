"""Faster versions of two parts of NeMo's FastConformer, which are half of a small model's work on a CPU.

`apply_fast_paths` replaces the modules' own functions if a module is exactly what they were written for. Features and
the encoder's output agree with NeMo's to 1e-4 (tests/test_fast_paths.py).
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

SUPPORTED_FEATURES = {
    "mag_power": 2.0,
    "log": True,
    "log_zero_guard_type": "add",
    "frame_splicing": 1,
    "exact_pad": False,
    "pad_value": 0,
    "pad_to": 0,
    "normalize": "per_feature",
}


def apply_fast_paths(model: Any) -> None:
    """Replace the model's feature extraction and subsampling by the faster versions, if it has the usual settings."""
    from nemo.collections.asr.parts.preprocessing.features import FilterbankFeatures
    from nemo.collections.asr.parts.submodules.subsampling import MaskedConvSequential

    featurizer: Any = model.preprocessor.featurizer
    usual = all(getattr(featurizer, name, None) == value for name, value in SUPPORTED_FEATURES.items())
    if type(featurizer) is FilterbankFeatures and featurizer.preemph is not None and usual:
        featurizer.forward = MethodType(log_mel, featurizer)
    layers: Any = getattr(getattr(model.encoder, "pre_encode", None), "conv", None)
    if type(layers) is MaskedConvSequential and {type(layer) for layer in layers} == {nn.Conv2d, nn.ReLU}:
        layers.to(memory_format=torch.channels_last)
        layers.forward = MethodType(subsample, layers)


def log_mel(self: Any, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return log-mel features [batch, bands, frames] of waves [batch, samples], normalized per utterance and band.

    NeMo takes the root of the power spectrum and squares it again, which takes as long as all the rest.
    """
    from nemo.collections.asr.parts.preprocessing.features import normalize_batch

    frames = torch.where(lengths == 0, 0, self.get_seq_len(lengths))
    wave = torch.cat((wave[:, :1], wave[:, 1:] - self.preemph * wave[:, :-1]), dim=1)
    wave.masked_fill_(torch.arange(wave.shape[1], device=wave.device) >= lengths[:, None], 0.0)
    spectrum = self.stft(wave)
    power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
    bands = torch.matmul(self.fb, power)
    bands = bands.add_(self.log_zero_guard_value_fn(bands)).log_()
    return normalize_batch(bands, frames, self.normalize)[0], frames


def subsample(self: Any, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return strided convolutions of features [batch, frames, bands], and the lengths of the output [frames].

    NeMo multiplies the whole tensor by a mask before every layer. Only convolutions over time see the padding, so here
    it is set to zero before those, in place; channels are last, the fastest order for depthwise convolutions on CPUs.
    """
    from nemo.collections.asr.parts.submodules.subsampling import calculate_conv_output_size

    x = features.unsqueeze(1).contiguous(memory_format=torch.channels_last)
    lengths = lengths.clone().float()
    for layer in self:
        if isinstance(layer, nn.ReLU):
            x = x.relu_()
            continue
        if layer.kernel_size != (1, 1):
            clear_padding(x, lengths)
        x = layer(x)
        if layer.stride != (1, 1):
            lengths = calculate_conv_output_size(lengths, layer.kernel_size[0], layer.stride[0], layer.padding)
    clear_padding(x, lengths)
    return x, lengths.long()


def clear_padding(x: Tensor, lengths: Tensor) -> None:
    """Set the frames after the end of each utterance in [batch, channels, frames, bands] to zero."""
    if x.is_cuda:
        beyond = torch.arange(x.shape[2], device=x.device) >= lengths.long()[:, None]
        x.masked_fill_(beyond[:, None, :, None], 0.0)
        return
    for row, length in zip(x, lengths.long().tolist(), strict=True):
        row[:, length:] = 0.0
