"""The faster versions of NeMo's functions compute the same."""

import pytest
import torch

from tests.test_nemo import demo_requests
from winnow.audio.decode import load_clip
from winnow.engines.nemo.fast_paths import apply_fast_paths, log_mel, subsample
from winnow.engines.nemo.model import restore_model


@pytest.fixture(scope="module")
def waves():
    clips = [torch.from_numpy(load_clip(r.path, None, None, 16_000, 60).samples) for r in demo_requests(6)]
    clips.append(clips[0][:1_700])
    return torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), torch.tensor([len(clip) for clip in clips])


def are_replaced(model):
    """Tell whether feature extraction and subsampling are ours."""
    modules = {model.preprocessor.featurizer: log_mel, model.encoder.pre_encode.conv: subsample}
    return tuple(getattr(module.forward, "__func__", None) is ours for module, ours in modules.items())


def model_outputs(model, wave, lengths):
    with torch.inference_mode():
        features, frames = model.preprocessor(input_signal=wave, length=lengths)
        encoded, steps = model.encoder(audio_signal=features.clone(), length=frames)
    return features, frames, encoded, steps


def test_features_and_encoder_output_equal_those_of_nemo(demo_small, waves):
    model = restore_model(demo_small, "cpu").eval()
    model.preprocessor.featurizer.pad_to = 0
    theirs = model_outputs(model, *waves)
    apply_fast_paths(model)
    assert are_replaced(model) == (True, True)
    ours = model_outputs(model, *waves)
    assert torch.equal(ours[1], theirs[1])
    assert torch.equal(ours[3], theirs[3])
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-4)
    for our_output, their_output, steps in zip(ours[2], theirs[2], ours[3], strict=True):
        torch.testing.assert_close(our_output[:, :steps], their_output[:, :steps], rtol=0, atol=1e-4)


def test_modules_with_unusual_settings_are_not_replaced(demo_small):
    model = restore_model(demo_small, "cpu").eval()
    model.preprocessor.featurizer.normalize = "all_features"
    model.encoder.pre_encode.conv.append(torch.nn.SiLU())
    apply_fast_paths(model)
    assert are_replaced(model) == (False, False)
