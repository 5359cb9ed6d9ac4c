"""What models can write: texts as tokens, and the kinds of characters that they have."""

import pytest

from tests.conftest import DEMO, resolve_unpinned
from winnow.engines.nemo.model import NemoModel
from winnow.engines.vocabulary import same_text, writing_style
from winnow.parameters.engine import EngineOptions


@pytest.fixture(scope="module")
def vocabulary(random_model):
    """Return the vocabulary of a model: the demo's, or one of a family with random weights."""
    kept = {}

    def load(name):
        if name not in kept:
            checkpoint = resolve_unpinned(DEMO / "small.nemo") if name == "small" else random_model(name)
            kept[name] = NemoModel(checkpoint, EngineOptions()).vocabulary
        return kept[name]

    return load


@pytest.mark.parametrize("name", ["small", "letters", "canary"])
@pytest.mark.parametrize("text", ["good morning", "don't", "a", "the the"])
def test_what_is_written_is_read_again(vocabulary, name, text):
    ids = vocabulary(name).write(text, vocabulary(name).language_of((), "en"))
    assert vocabulary(name).read(list(ids)).strip() == text


@pytest.mark.parametrize("name", ["small", "letters", "canary"])
@pytest.mark.parametrize(
    "text", ["Good morning", "well, yes", "42", "grüß dich", "早上好", "доброе утро", "a\u0000b", "⁇"]
)
def test_what_the_vocabulary_lacks_cannot_be_written(vocabulary, name, text):
    assert vocabulary(name).write(text, vocabulary(name).language_of((), "en")) is None


def test_nothing_is_written_without_tokens(vocabulary):
    assert vocabulary("small").write(" ", None) == ()


def test_a_text_is_written_in_the_language_that_was_read(vocabulary):
    canary = vocabulary("canary")
    german = canary.write("good morning", "de")
    assert german != canary.write("good morning", "en")
    assert canary.language_of(german, "en") == "de"
    assert [canary.language_of((), tag) for tag in ("de-at", "fr", None)] == ["de", "en", "en"]
    assert vocabulary("small").language_of((1, 2), "de") is None


def test_style_says_which_characters_the_pieces_have():
    style = writing_style(["<unk>", "<0xE2>", "[PAD]", "▁The", "##ing", "▁do", "'t", "4", ",", "ß", "ा"])
    assert (style.upper, style.digits, style.punctuation) == (True, True, frozenset("',"))
    assert style.letters == frozenset("Theingdotßा")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [("a b", "a b", True), ("ﬁne", "fine", True), ("a  b ", "a b", True), ("A", "a", False), ("naïve", "naive", False)],
)
def test_compatible_characters_are_the_same_to_a_tokenizer(first, second, same):
    assert same_text(first, second) is same
