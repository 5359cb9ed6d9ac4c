"""The log-likelihoods of texts under an attention model: given each text's own tokens, the probability of the next."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from winnow.engines.likelihoods import Text, groups, to_batch, to_list


def multitask_log_likelihoods(
    model: Any, states: Tensor, mask: Tensor, prompts: Tensor, texts: Sequence[Text], max_length: int
) -> list[float]:
    """Return the log-likelihoods of texts and of the token that ends them, behind the prompts of their utterances.

    `states` are the encoder's [utterances, frames, width], `mask` marks the frames of each utterance, `prompts` are
    token ids [utterances, tokens]. Texts with more than `max_length` tokens, the prompt among them, get minus infinity.
    """
    prompt_length, end = prompts.shape[1], int(model.tokenizer.eos_id)
    fitting = [i for i, (_, ids) in enumerate(texts) if prompt_length + len(ids) <= max_length]
    whole = [(texts[i][0], [*prompts[texts[i][0]].tolist(), *texts[i][1], end]) for i in fitting]
    model.transf_decoder.eval()  # NeMo's search leaves them in training mode, with dropout
    model.log_softmax.eval()
    heads = max((layer.first_sub_layer.num_attention_heads for layer in model.transf_decoder.decoder.layers), default=1)
    widest = max(int(model.transf_decoder.vocab_size), heads * states.shape[1])
    results: list[Tensor] = []
    for group in groups(whole, lambda longest: longest * widest + states.shape[1] * states.shape[2]):
        tokens, lengths, rows = to_batch(group, states.device)
        scores = teacher_forced(model, states[rows], mask[rows], tokens[:, :-1], lengths - 1)
        chosen = scores.float().gather(-1, tokens[:, 1:, None]).squeeze(-1).double()
        places = torch.arange(1, tokens.shape[1], device=states.device)
        own = (places >= prompt_length) & (places < lengths[:, None])
        results.append(chosen.masked_fill(~own, 0.0).sum(-1))
    values = dict(zip(fitting, to_list(results), strict=True))
    return [values.get(i, -torch.inf) for i in range(len(texts))]


def teacher_forced(model: Any, states: Tensor, mask: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return the log-probabilities of the token after each [texts, tokens, vocabulary]."""
    own = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    decoded = model.transf_decoder(
        input_ids=tokens, decoder_mask=own.to(states.dtype), encoder_embeddings=states, encoder_mask=mask
    )
    scores: Tensor = model.log_softmax(hidden_states=decoded)
    return scores
