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


def byte_tokenizer(tokenizer_class, special, **options):
    """Return a tokenizer of bytes, as GPT-2's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(False), decoders.ByteLevel()
    made = tokenizer_class(tokenizer_object=tokenizer, **options)
    made.add_special_tokens({"additional_special_tokens": list(special)})
    return made


def whisper(folder: Path) -> Path:
    import transformers

    special = "<|endoftext|> <|startoftranscript|> <|en|> <|de|> <|translate|> <|transcribe|> <|notimestamps|>".split()
    times = [f"<|{0.02 * number:.2f}|>" for number in range(1501)]
    tokenizer = byte_tokenizer(transformers.PreTrainedTokenizerFast, [*special, *times], eos_token="<|endoftext|>")
    ids = dict(zip(special, tokenizer.convert_tokens_to_ids(special), strict=True))
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    ends = {"pad_token_id": ids["<|endoftext|>"], "bos_token_id": ids["<|endoftext|>"]}
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer), eos_token_id=ids["<|endoftext|>"], **sizes, **heads, **ends,
        decoder_start_token_id=ids["<|startoftranscript|>"], suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    own = model.generation_config
    own._from_model_config = False
    own.lang_to_id = {"<|en|>": ids["<|en|>"], "<|de|>": ids["<|de|>"]}
    own.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    own.no_timestamps_token_id, own.is_multilingual, own.max_length = ids["<|notimestamps|>"], True, 448
    own.suppress_tokens = list(range(ids["<|startoftranscript|>"], len(tokenizer)))
    return save(folder, model, transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer))


def moonshine(folder: Path) -> Path:
    import transformers

    tokenizer = pieces_tokenizer(transformers.PreTrainedTokenizerFast, bos_token="<s>", eos_token="</s>")
    config = transformers.MoonshineConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, encoder_num_hidden_layers=1,
        decoder_num_hidden_layers=1, encoder_num_attention_heads=2, decoder_num_attention_heads=2, bos_token_id=1,
        decoder_start_token_id=1, eos_token_id=2, pad_token_id=3,
    )  # fmt: skip
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    return save(
        folder,
        transformers.MoonshineForConditionalGeneration(config),
        transformers.Wav2Vec2Processor(extractor, tokenizer),
    )


def speech_to_text(folder: Path) -> Path:
    import sentencepiece
    import transformers

    (folder / "words.txt").write_text("\n".join([" ".join(WORDS)] * 50))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "words.txt"),
        model_prefix=str(folder / "spm"),
        vocab_size=60,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    pieces = sentencepiece.SentencePieceProcessor(str(folder / "spm.model"))
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    names = [pieces.id_to_piece(number) for number in range(3, pieces.get_piece_size())]
    vocabulary = {piece: number for number, piece in enumerate([*special, *names])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = transformers.Speech2TextTokenizer(str(folder / "vocab.json"), str(folder / "spm.model"))
    config = transformers.Speech2TextConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, conv_channels=16, max_source_positions=1500,
        decoder_start_token_id=2, max_target_positions=200,
    )  # fmt: skip
    processor = transformers.Speech2TextProcessor(transformers.Speech2TextFeatureExtractor(), tokenizer)
    return save(folder, transformers.Speech2TextForConditionalGeneration(config), processor)


CHAT = """{% for message in messages %}<|im_start|>{{ message.role }}
{% for part in message.content %}{% if part.type == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>{% else %}\
{{ part.text }}{% endif %}{% endfor %}{% if not loop.last %}<|im_end|>
{% endif %}{% endfor %}"""


def qwen3_asr(folder: Path) -> Path:
    import transformers

    special = "<|endoftext|> <|im_start|> <|im_end|> <|audio_start|> <|audio_pad|> <|audio_end|> <asr_text>".split()
    tokenizer = byte_tokenizer(
        transformers.PreTrainedTokenizerFast, special, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        padding_side="left", extra_special_tokens={
            "audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"
        },
    )  # fmt: skip
    ids = dict(zip(special, tokenizer.convert_tokens_to_ids(special), strict=True))
    text = {
        "model_type": "qwen3", "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8,
        "max_position_embeddings": 2000,
    }  # fmt: skip
    audio = {
        "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "d_model": 16, "output_dim": 16,
        "downsample_hidden_size": 8,
    }  # fmt: skip
    config = transformers.Qwen3ASRConfig(
        text_config=text, audio_config=audio, audio_token_id=ids["<|audio_pad|>"], pad_token_id=ids["<|endoftext|>"],
        eos_token_id=[ids["<|endoftext|>"], ids["<|im_end|>"]],
    )  # fmt: skip
    model = transformers.Qwen3ASRForConditionalGeneration(config)
    extractor = transformers.Qwen3ASRFeatureExtractor()
    return save(folder, model, transformers.Qwen3ASRProcessor(extractor, tokenizer, chat_template=CHAT))


WRITERS = {"Whisper": whisper, "Moonshine": moonshine, "Speech2Text": speech_to_text, "Qwen3ASR": qwen3_asr}
"""Models that write a text token by token."""
