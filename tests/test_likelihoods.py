"""The log-likelihoods of texts under every family of models, compared with NeMo's own losses, one text at a time."""

import functools
import math

import pytest
import torch

from tests.conftest import DEMO, resolve_unpinned
from tests.test_nemo import demo_requests
from winnow.audio.decode import load_clip
from winnow.engines.likelihoods import ctc_log_likelihoods, rnnt_sum, tdt_sum
from winnow.engines.nemo.model import NemoModel
from winnow.engines.transducer_lattice import utterance_groups
from winnow.parameters.engine import EngineOptions

TEXTS = [(0, [3, 5, 5, 9]), (2, [7]), (0, [3, 5, 6]), (1, []), (2, [7, 8, 30, 2, 2, 4, 9, 1, 1]), (1, [4, 4])]
"""Indices of utterances and tokens: repetitions, shared beginnings, nothing, and no order."""

DURATIONS = [0, 1, 2, 4]


@functools.cache
def decoded(checkpoint, **options):
    """Return a model, the encodings and lengths of three utterances, and what its decoder made of them."""
    network = NemoModel(checkpoint, EngineOptions(**options))
    clips = [load_clip(request.path, None, None, network.sample_rate, 60).samples for request in demo_requests(3)]
    with torch.inference_mode():
        encoded, frames = network.encode(*network.to_device(clips))
        return network, encoded, frames, network.decoder.start(encoded, frames, [None, "de", "en"])


def checkpoint_named(random_model, name):
    return resolve_unpinned(DEMO / f"{name}.nemo") if name in ("small", "large") else random_model(name)


def nemo_ctc_losses(head, encoded, frames, texts):
    from nemo.collections.asr.losses.ctc import CTCLoss

    scores = head(encoder_output=encoded)
    loss = CTCLoss(num_classes=scores.shape[-1] - 1, reduction="sum")
    for row, ids in texts:
        yield loss(
            log_probs=scores[row : row + 1, : frames[row]],
            targets=torch.tensor([ids or [0]]),
            input_lengths=frames[row : row + 1],
            target_lengths=torch.tensor([len(ids)]),
        )


def nemo_rnnt_losses(model, encoded, frames, texts):
    from nemo.collections.asr.losses.rnnt_pytorch import RNNTLossPytorch

    loss = RNNTLossPytorch(blank=model.decoder.blank_idx, reduction="sum")
    return transducer_losses(loss, model, encoded, frames, texts)


def transducer_losses(loss, model, encoded, frames, texts):
    for row, ids in texts:
        yield loss(
            acts=lattice(model, encoded, frames, row, ids),
            labels=torch.tensor([ids], dtype=torch.long),
            act_lens=frames[row : row + 1],
            label_lens=torch.tensor([len(ids)]),
        )


def lattice(model, encoded, frames, row, ids):
    """Return the joint network's output for one text, as in NeMo's training step."""
    predicted, *_ = model.decoder(targets=torch.tensor([ids], dtype=torch.long), target_length=torch.tensor([len(ids)]))
    return model.joint(encoder_outputs=encoded[row : row + 1, :, : frames[row]], decoder_outputs=predicted)


def nemo_tdt_losses(model, durations, encoded, frames, texts):
    """Yield the losses; their code moves tensors to a GPU by name, which here has to leave them where they are."""
    from nemo.collections.asr.losses.rnnt_pytorch import TDTLossPytorch

    loss = TDTLossPytorch(blank=model.decoder.blank_idx, durations=durations, reduction="sum")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
        yield from transducer_losses(loss, model, encoded, frames, texts)


@pytest.mark.parametrize("name", ["small", "letters"])
def test_ctc_likelihoods_are_the_losses_of_nemo(random_model, name):
    network, encoded, frames, batch = decoded(checkpoint_named(random_model, name))
    texts = [(row, [token % 28 for token in ids]) for row, ids in TEXTS]
    with torch.inference_mode():
        losses = [float(loss) for loss in nemo_ctc_losses(network.model.decoder, encoded, frames, texts)]
        assert batch.log_likelihoods(texts) == pytest.approx([-loss for loss in losses], abs=1e-3, rel=1e-6)


def test_transducer_likelihoods_are_the_losses_of_nemo(random_model):
    network, encoded, frames, batch = decoded(random_model("rnnt"))
    with torch.inference_mode():
        losses = [float(loss) for loss in nemo_rnnt_losses(network.model, encoded, frames, TEXTS)]
        assert batch.log_likelihoods(TEXTS) == pytest.approx([-loss for loss in losses], abs=1e-3, rel=1e-6)


@pytest.mark.parametrize("branch", ["transducer", "ctc"])
def test_hybrid_likelihoods_are_those_of_the_branch_that_reads(branch):
    network, encoded, frames, batch = decoded(resolve_unpinned(DEMO / "large.nemo"), decoder=branch)
    with torch.inference_mode():
        if branch == "ctc":
            losses = [float(loss) for loss in nemo_ctc_losses(network.model.ctc_decoder, encoded, frames, TEXTS)]
        else:
            losses = [float(loss) for loss in nemo_rnnt_losses(network.model, encoded, frames, TEXTS)]
        assert batch.log_likelihoods(TEXTS) == pytest.approx([-loss for loss in losses], abs=1e-3, rel=1e-6)


def test_token_and_duration_likelihoods_are_the_losses_of_nemo(random_model):
    network, encoded, frames, batch = decoded(random_model("tdt"))
    with torch.inference_mode():
        losses = nemo_tdt_losses(network.model, network.decoder.durations, encoded, frames, TEXTS)
        expected = [-float(loss) for loss in losses]
        assert batch.log_likelihoods(TEXTS) == pytest.approx(expected, abs=1e-3, rel=1e-6)


def test_prompted_likelihoods_depend_on_the_language(random_model):
    network, encoded, frames, batch = decoded(random_model("prompted transducer"))
    with torch.inference_mode():
        (german,) = batch.log_likelihoods([(1, [4, 4])])
        (english,) = network.decoder.start(encoded, frames, ["en", "en", "en"]).log_likelihoods([(1, [4, 4])])
    assert german != english


def test_multitask_likelihoods_are_the_losses_of_nemo(random_model):
    from nemo.collections.common.losses.smoothed_cross_entropy import SmoothedCrossEntropyLoss

    network, encoded, frames, batch = decoded(random_model("canary"))
    model, end = network.model, network.model.tokenizer.eos_id
    texts = [(row, [token + 40 for token in ids]) for row, ids in TEXTS]
    loss = SmoothedCrossEntropyLoss(pad_id=model.tokenizer.pad_id, per_token_reduction=False)
    expected = []
    with torch.inference_mode():
        found = batch.log_likelihoods(texts)
        for row, ids in texts:
            prompt = network.decoder.prompt([None, "de", "en"][row]).tolist()
            tokens = torch.tensor([[*prompt, *ids, end]])
            states = model.encoder_decoder_proj(encoded[row : row + 1, :, : frames[row]].permute(0, 2, 1))
            mask = torch.ones(states.shape[:2])
            decoded_states = model.transf_decoder(
                input_ids=tokens[:, :-1],
                decoder_mask=torch.ones_like(tokens[:, :-1]),
                encoder_embeddings=states,
                encoder_mask=mask,
            )
            scores = model.log_softmax(hidden_states=decoded_states)[:, len(prompt) - 1 :]
            expected.append(-float(loss(log_probs=scores, labels=tokens[:, len(prompt) :]).sum()))
    assert found == pytest.approx(expected, abs=1e-3, rel=1e-5)


@pytest.mark.parametrize("name", ["small", "large", "tdt", "prompted transducer", "prompted hybrid", "canary"])
def test_a_batch_gives_each_text_the_likelihood_that_it_has_alone(random_model, name):
    *_, batch = decoded(checkpoint_named(random_model, name))
    with torch.inference_mode():
        together = batch.log_likelihoods(TEXTS)
        alone = [batch.log_likelihoods([text])[0] for text in TEXTS]
        assert batch.log_likelihoods([]) == []
    assert together == pytest.approx(alone, abs=1e-3, rel=1e-5)


@pytest.mark.parametrize("name", ["small", "large", "tdt", "canary"])
def test_a_text_longer_than_its_audio_has_no_likelihood(random_model, name):
    *_, batch = decoded(checkpoint_named(random_model, name))
    with torch.inference_mode():
        endless, short = batch.log_likelihoods([(0, [3, 4] * 5000), (0, [3, 4])])
    assert (endless, math.isfinite(short)) == (-math.inf, True)


def test_sums_are_probabilities():
    """Over all texts of at most two labels in a vocabulary of two, and two frames, they add up to one."""
    texts = [(0, []), *((0, [a]) for a in (0, 1)), *((0, [a, b]) for a in (0, 1) for b in (0, 1))]
    scores = torch.randn(1, 2, 3).log_softmax(-1)
    found = ctc_log_likelihoods(scores, torch.tensor([2]), texts, blank=2)
    assert sum(map(math.exp, found)) == pytest.approx(1.0)


def test_an_utterance_without_frames_has_no_likelihood():
    emits, blanks, spans = torch.zeros(1, 1, 2), torch.zeros(1, 2, 2), torch.zeros(1, 2, 2, len(DURATIONS))
    none, one = torch.tensor([0]), torch.tensor([1])
    assert rnnt_sum(emits, blanks, none, one).tolist() == [-math.inf]
    assert tdt_sum(emits, blanks, spans, none, one, DURATIONS).tolist() == [-math.inf]


@pytest.mark.parametrize(
    ("most", "groups"),
    [
        (1_000, [[(1, [1]), (1, [2, 3]), (0, [4]), (2, [5])]]),
        (60, [[(1, [1]), (1, [2, 3])], [(0, [4]), (2, [5])]]),
        (1, [[(1, [1]), (1, [2, 3])], [(0, [4])], [(2, [5])]]),
    ],
)
def test_texts_of_an_utterance_are_summed_together(most, groups):
    texts = [(1, [1]), (1, [2, 3]), (0, [4]), (2, [5])]
    assert list(utterance_groups(texts, [6, 10, 5], most)) == groups
