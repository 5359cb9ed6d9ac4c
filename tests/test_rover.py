"""ROVER: one text from the hypotheses of several models."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.text.alignment import GAP, SUBSTITUTION, build_network
from winnow.text.comparison import Comparison
from winnow.text.hypothesis import Hypothesis
from winnow.text.rover import VoteWeights, most_confident, rover
from winnow.text.vote_tokens import vote_tokens

VOTES = VoteWeights(alpha=1.0)
WORDS = st.sampled_from("one two three four five six".split())
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
WEIGHTS = st.builds(
    VoteWeights, alpha=st.floats(0, 1), exponent=st.floats(0.1, 2), null_confidence=st.none() | st.floats(0, 1)
)
NORMALIZERS = st.sampled_from(["basic", "none"])
CONFIDENCES = st.one_of(st.none(), st.floats(0, 1))


@st.composite
def hypotheses(draw: st.DrawFn) -> Hypothesis:
    text = draw(st.one_of(TEXTS, st.text(max_size=20)))
    words = draw(
        st.one_of(st.none(), st.lists(st.floats(0, 1), min_size=len(text.split()), max_size=len(text.split())))
    )
    return Hypothesis(text, confidence=draw(CONFIDENCES), word_confidence=words)


def rover_text(*texts: str) -> str:
    return rover([Hypothesis(text) for text in texts], "basic", VOTES).text


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["good morning to you", "good morning two you", "could morning to you"], "good morning to you"),
        (["a b c", "a x b c", "a b c y"], "a b c"),
        (["x a b c", "a b c", "a b c y z"], "a b c"),
        (["b c", "a b c", "a b c"], "a b c"),
        (["a b", "a b c", "", "a b c"], "a b c"),
        (["Twenty-one men.", "twenty one man", "twenty one men"], "twenty one men."),
        (["Yes, of course.", "yes of course", "Yes, of course."], "Yes, of course."),
        (["well — yes", "well yes", "well — yes"], "well — yes"),
        (["今天天气很好", "今天气很好", "今天天汽很好"], "今天天气很好"),
        (["我 用 iPhone 打电话", "我 用 iphone 打电话", "我 用 iphone 打店话"], "我 用 iphone 打电话"),
        (["ราคาเท่าไร", "ราคาเท่าไหร่", "ราคาเท่าไร"], "ราคาเท่าไร"),
        (["", "", "a"], ""),
    ],
)
def test_rover_selects_the_most_frequent_word_in_each_slot(texts, expected):
    assert rover_text(*texts) == expected


def with_confidences(text: str, *confidence: float) -> Hypothesis:
    return Hypothesis(text, confidence=sum(confidence) / len(confidence), word_confidence=list(confidence))


def test_one_confident_model_outvotes_two_unconfident_models():
    doubtful = [with_confidences("turn of the light", 0.9, 0.001, 0.9, 0.9)] * 2
    sure = with_confidences("turn on the light", 0.9, 0.95, 0.9, 0.9)
    assert rover([*doubtful, sure], "basic", VOTES).text == "turn of the light"
    assert rover([*doubtful, sure], "basic", VoteWeights()).text == "turn on the light"


def test_models_that_merge_two_words_do_not_outvote_a_confident_model_with_both_words():
    run_together = [with_confidences("anna wantsread and rice", 0.6, 0.008, 0.6, 0.6)] * 2
    sure = with_confidences("anna wants bread and rice", 0.6, 0.36, 0.36, 0.6, 0.6)
    assert rover([*run_together, sure], "basic", VoteWeights()).text == "anna wants bread and rice"
    assert rover([*run_together, sure], "basic", VoteWeights(null_confidence=0.9)).text == "anna wants and rice"


@pytest.mark.parametrize(("null_confidence", "expected"), [(0.2, "a b c"), (0.9, "a c"), (None, "a c")])
def test_null_confidence_decides_between_a_word_and_none(null_confidence, expected):
    both = [with_confidences("a b c", 0.9, 0.8, 0.9), with_confidences("a c", 0.9, 0.9)]
    assert rover(both, "basic", VoteWeights(null_confidence=null_confidence)).text == expected


def test_only_votes_count_if_a_hypothesis_has_no_confidence():
    both = [with_confidences("a", 0.1), Hypothesis("a"), with_confidences("b", 1.0)]
    assert rover(both, "basic", VoteWeights(alpha=0.0)).text == "a"


def test_agreement_is_the_mean_share_of_votes_for_the_selected_words():
    assert rover([Hypothesis("a b c"), Hypothesis("a b d"), Hypothesis("a b c e")], "basic", VOTES) == (
        "a b c",
        pytest.approx(5 / 6),
        pytest.approx(2 / 3),
    )
    assert rover([Hypothesis(""), Hypothesis("?!")], "basic", VOTES) == ("", None, None)


def test_most_confident_hypothesis_is_selected_unchanged():
    three = [Hypothesis("a b", confidence=0.5), Hypothesis("A, c!", confidence=0.9), Hypothesis("a c", confidence=0.7)]
    assert most_confident(three, "basic") == (("A, c!", pytest.approx(5 / 6), pytest.approx(2 / 3)), 1)


def test_word_missing_in_the_first_hypothesis_is_one_slot_for_all_others():
    sure = Hypothesis("c d", confidence=0.9)  # is aligned first
    consensus = rover(
        [sure, Hypothesis("a b c d", confidence=0.8), Hypothesis("a b c d", confidence=0.7)], "basic", VOTES
    )
    assert consensus == ("a b c d", pytest.approx(5 / 6), pytest.approx(2 / 3))


@given(hypothesis=hypotheses(), copies=st.integers(1, 4), weights=WEIGHTS, norm=NORMALIZERS)
def test_rover_of_equal_hypotheses_is_that_hypothesis(hypothesis, copies, weights, norm):
    words = vote_tokens(hypothesis, norm)
    text = " ".join(hypothesis.text.split()) if words else ""
    assert rover([hypothesis] * copies, norm, weights) == (text, *[1.0 if words else None] * 2)


@given(drawn=st.lists(hypotheses(), min_size=2, max_size=4), weights=WEIGHTS, data=st.data())
def test_order_of_hypotheses_does_not_matter(drawn, weights, data):
    reordered = data.draw(st.permutations(drawn))
    assert rover(drawn, "basic", weights) == rover(reordered, "basic", weights)
    assert most_confident(drawn, "basic")[0] == most_confident(reordered, "basic")[0]


@given(text=TEXTS, places=st.lists(st.integers(0, 8), max_size=6), others=st.integers(2, 4), data=st.data())
def test_inserted_words_do_not_shift_the_votes_after_them(text, places, others, data):
    words = text.split()
    for place in places:
        words.insert(place, data.draw(WORDS))
    variants = data.draw(st.permutations([text] * others + [" ".join(words)]))
    slots = len(text.split()) + len(places)
    share = others / (others + 1)
    unanimous = (len(text.split()) + share * len(places)) / slots if slots else None
    assert rover([Hypothesis(variant) for variant in variants], "basic", VOTES) == (
        text,
        unanimous and pytest.approx(unanimous),
        (share if places else 1.0) if slots else None,
    )


def cost(word: str, other: str) -> int:
    return 0 if word == other else SUBSTITUTION if word and other else GAP


@given(texts=st.lists(TEXTS, min_size=1, max_size=3), added=TEXTS)
def test_hypothesis_is_aligned_with_all_others_at_the_lowest_cost(texts, added):
    earlier, words = build_network([vote_tokens(Hypothesis(text), "basic") for text in texts]), added.split()

    @functools.cache
    def lowest_cost(i: int, j: int) -> int:
        slot, rest = [unit.word for unit in earlier[i]] if i < len(earlier) else [], words[j:]
        ways = []
        if slot:
            ways.append(sum(cost(word, "") for word in slot) + lowest_cost(i + 1, j))
        if rest:
            ways.append(GAP * len(texts) + lowest_cost(i, j + 1))
        if slot and rest:
            ways.append(sum(cost(word, rest[0]) for word in slot) + lowest_cost(i + 1, j + 1))
        return min(ways, default=0)

    joined = build_network([vote_tokens(Hypothesis(text), "basic") for text in [*texts, added]])
    assert sum(cost(unit.word, slot[-1].word) for slot in joined for unit in slot[:-1]) == lowest_cost(0, 0)


def test_long_hypotheses_are_aligned_in_little_time_at_nearly_the_lowest_cost():
    words = [f"word{number % 997}" for number in range(20_000)]
    variants = [["first", *words], [*words[:9_000], *words[9_001:], "last"], words]
    consensus = rover([Hypothesis(" ".join(variant)) for variant in variants], "basic", VOTES)
    assert consensus.text.split() == words


@pytest.mark.parametrize("text", ["ha-" * 800 + "ha", "ha-" * 20, "haha" * 800])
def test_words_of_a_token_are_told_apart_however_long_it_is(text):
    words = [token.word for token in vote_tokens(Hypothesis(f"he said {text} and left"), "basic")]
    assert words == f"he said {text.replace('-', ' ')} and left".split()


@pytest.mark.parametrize(
    ("texts", "language", "voted"),
    [
        (["I have 25 dogs.", "i have twenty-five cats", "we have twenty five dogs"], "en", "I have 25 dogs."),
        (["twenty five dogs", "25 dogs", "25 cats"], "en", "twenty five dogs"),
        (["an e-mail", "an email", "no email"], None, "an e-mail"),
        (["1 000 men", "1000 men", "1,000 man"], None, "1 000 men"),
    ],
)
def test_spellings_of_the_same_words_vote_alike(texts, language, voted):
    hypotheses = [Hypothesis(text, confidence=0.9 - 0.1 * place) for place, text in enumerate(texts)]
    consensus = rover(hypotheses, "basic", VOTES, language)
    assert consensus.text == voted
    assert consensus.lowest_agreement == pytest.approx(2 / 3)


def test_compounds_vote_alike_where_asked():
    texts = [Hypothesis("my homepage"), Hypothesis("my home page")]
    assert rover(texts, Comparison("basic", merge_compounds=True), VOTES).lowest_agreement == 1
    assert rover(texts, "basic", VOTES).lowest_agreement == 0.5
