"""Tiny models of transformers' classes with random weights, saved in folders as users save them."""

import json
from pathlib import Path

LETTERS = list("abcdefghijklmnopqrstuvwxyz'")
WORDS = "the of and to in a is that it was for on he with as his at by had not are but from or have".split()


def save(folder: Path, model, *parts) -> Path:
    """Save a model and its processors; weights are enlarged so that its texts are not of one token."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    model.eval().save_pretrained(folder)
    for part in parts:
        part.save_pretrained(folder)
    return folder


def letters_tokenizer(folder: Path):
    """Return Wav2Vec2's tokenizer, of letters."""
    from transformers import Wav2Vec2CTCTokenizer

    vocabulary = {piece: number for number, piece in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    return Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))


def pieces_tokenizer(tokenizer_class, special=("<unk>", "<s>", "</s>", "<pad>"), **options):
    """Return a tokenizer of pieces as SentencePiece makes them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pieces = [*special, "▁", *(f"▁{word}" for word in WORDS), *LETTERS]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(i)) for i, piece in enumerate(pieces)], unk_id=0))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return tokenizer_class(tokenizer_object=tokenizer, unk_token="<unk>", **options)


SMALL = {
    "vocab_size": 32,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "pad_token_id": 0,
}
CONVOLUTIONS = {"conv_dim": (16,) * 7}

WAVES = {
    "Wav2Vec2": CONVOLUTIONS,
    "Wav2Vec2Conformer": {**CONVOLUTIONS, "feat_extract_norm": "layer", "conv_depthwise_kernel_size": 7},
    "Hubert": CONVOLUTIONS,
    "WavLM": CONVOLUTIONS,
    "UniSpeech": CONVOLUTIONS,
    "UniSpeechSat": CONVOLUTIONS,
    "Data2VecAudio": {**CONVOLUTIONS, "conv_pos_kernel_size": 5},
    "SEW": {"conv_dim": (16,) * 13},
    "SEWD": {"conv_dim": (16,) * 13},
}
"""Models that hear the wave, with what is particular in their configurations."""


def wave_model(folder: Path, name: str) -> Path:
    import transformers

    config = getattr(transformers, f"{name}Config")(**SMALL, **WAVES[name])
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    return save(folder, getattr(transformers, f"{name}ForCTC")(config), extractor, letters_tokenizer(folder))


def wav2vec2_bert(folder: Path) -> Path:
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertForCTC

    config = Wav2Vec2BertConfig(**SMALL, feature_projection_input_dim=160, conv_depthwise_kernel_size=7)
    return save(folder, Wav2Vec2BertForCTC(config), SeamlessM4TFeatureExtractor(), letters_tokenizer(folder))


ENCODER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "subsampling_conv_channels": 8,
    "conv_kernel_size": 5,
}


def parakeet_ctc(folder: Path) -> Path:
    from transformers import ParakeetCTCConfig, ParakeetFeatureExtractor, ParakeetForCTC, ParakeetTokenizer

    tokenizer = pieces_tokenizer(ParakeetTokenizer, pad_token="<pad>")
    config = ParakeetCTCConfig(vocab_size=len(tokenizer), pad_token_id=3, encoder_config=ENCODER)
    return save(folder, ParakeetForCTC(config), ParakeetFeatureExtractor(), tokenizer)


def lasr_ctc(folder: Path) -> Path:
    from transformers import LasrCTCConfig, LasrFeatureExtractor, LasrForCTC, ParakeetTokenizer

    tokenizer = pieces_tokenizer(ParakeetTokenizer, pad_token="<pad>")
    config = LasrCTCConfig(vocab_size=len(tokenizer), pad_token_id=3, encoder_config=ENCODER)
    return save(folder, LasrForCTC(config), LasrFeatureExtractor(), tokenizer)


def granite_ctc(folder: Path) -> Path:
    from transformers import (
        GraniteSpeech5CTCConfig,
        GraniteSpeech5FeatureExtractor,
        GraniteSpeech5ForCTC,
        ParakeetTokenizer,
    )

    tokenizer = pieces_tokenizer(ParakeetTokenizer, pad_token="<pad>")
    encoder = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": len(tokenizer)}
    config = GraniteSpeech5CTCConfig(vocab_size=len(tokenizer), pad_token_id=3, encoder_config=encoder)
    return save(folder, GraniteSpeech5ForCTC(config), GraniteSpeech5FeatureExtractor(), tokenizer)


CTC = {name: lambda folder, name=name: wave_model(folder, name) for name in WAVES} | {
    "Wav2Vec2Bert": wav2vec2_bert,
    "ParakeetCTC": parakeet_ctc,
    "Lasr": lasr_ctc,
    "GraniteSpeech5": granite_ctc,
}
"""Every class of transformers with a CTC head."""


PREDICTOR = {"decoder_hidden_size": 16, "num_decoder_layers": 1, "encoder_config": ENCODER}


def transducer(folder: Path, name: str, **options) -> Path:
    """Save a transducer with Parakeet's networks."""
    import torch
    import transformers

    special = ("<unk>", "<s>", "</s>", "<pad>", "<blank>")
    tokenizer = pieces_tokenizer(transformers.ParakeetTokenizer, special, pad_token="<pad>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<blank>"]})
    sizes = {"vocab_size": len(tokenizer), "pad_token_id": 3, "blank_token_id": 4}
    config = getattr(transformers, f"Parakeet{name}Config")(**PREDICTOR, **sizes, **options)
    processor = transformers.ParakeetProcessor(
        transformers.ParakeetFeatureExtractor(), tokenizer, decoder_type=name.lower()
    )
    model = getattr(transformers, f"ParakeetFor{name}")(config)
    model.generation_config = transformers.GenerationConfig(decoder_start_token_id=4, pad_token_id=3)
    with torch.no_grad():
        model.encoder_projector.weight.mul_(30)  # so that a model does not say the same at every frame
        model.joint.head.bias[len(tokenizer) : len(tokenizer) + 1] = -100.0  # no step of no frame, in endless number
    return save(folder, model, processor)


TRANSDUCERS = {
    "ParakeetRNNT": lambda folder: transducer(folder, "RNNT", max_symbols_per_step=2),
    "ParakeetTDT": lambda folder: transducer(folder, "TDT", durations=[0, 1, 2, 3, 4]),
}
