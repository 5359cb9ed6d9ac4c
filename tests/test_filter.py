"""The filter: which rows rules keep, and the reasons for dropping others."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.filter import filter
from tasks.score import score
from tests.conftest import shard_table
from winnow.parameters.filter import Filter
from winnow.rules.columns import RULE_COLUMNS
from winnow.rules.decisions import decide
from winnow.rules.duplicates import count_duplicates, hash_references
from winnow.rules.operands import Operands
from winnow.rules.rule import WHOLE_RUN, Rules, parse
from winnow.schema import BEFORE_FILTER, DUPLICATES, FILTERED, UTTERANCE, after_gate, after_score, after_transcribe
from winnow.text.normalize import normalize
from winnow.text.text_stats import TEXT_STATS


def judged_rows(rules: Filter, **columns: list) -> list[tuple]:
    table = filter(shard_table(BEFORE_FILTER, **columns), Rules(rules=tuple(map(str, rules.active_rules))))
    assert table.schema == FILTERED
    return [tuple(row[name] for name in ("model", "wer", "decision", "reason")) for row in table.to_pylist()]


def test_large_models_hypothesis_is_selected_if_it_exists():
    rows = judged_rows(
        Filter(),
        text=["a b"] * 5,
        small_pred_text=["a b", "x b", "x y", None, "x b"],
        small_wer=[0.0, 0.5, 1.0, None, 0.5],
        band=["accept", "escalate", "escalate", None, "escalate"],
        large_pred_text=[None, "a b", "", None, None],
        large_wer=[None, 0.0, 1.0, None, None],
        reason=[None, None, None, "AUDIO_MISSING", "MODEL_ERROR"],
    )
    assert rows == [
        ("small", 0.0, "keep", None),
        ("large", 0.0, "keep", None),
        ("large", 1.0, "drop", "WER_ABOVE_MAX"),
        (None, None, "quarantine", "AUDIO_MISSING"),
        ("small", 0.5, "quarantine", "MODEL_ERROR"),
    ]


@pytest.mark.parametrize(
    ("rules", "reasons"),
    [
        (Filter(), None),
        (Filter(max_wer=0.1), ["WER_ABOVE_MAX"]),
        (Filter(preset="none"), None),
        (Filter(min_duration=2.5), ["DURATION_BELOW_MIN"]),
        (Filter(max_duration=1.5), ["DURATION_ABOVE_MAX"]),
        (Filter(min_char_rate=6), ["CHAR_RATE_BELOW_MIN"]),
        (Filter(max_char_rate=5), ["CHAR_RATE_ABOVE_MAX"]),
        (Filter(max_duration=1.5, max_wer=0.1), ["DURATION_ABOVE_MAX", "WER_ABOVE_MAX"]),
        (Filter(max_wer=0.1, rules=("duration > 2",)), ["WER_ABOVE_MAX", "DURATION_BELOW_MIN"]),
    ],
)
def test_every_violated_rule_is_named_and_the_first_is_the_reason(rules, reasons):
    # eleven characters in two seconds
    columns = {"duration": [2.0], "text": ["hello world"], "small_pred_text": ["hello word"], "small_wer": [0.2]}
    (row,) = filter(shard_table(BEFORE_FILTER, **columns), Rules(rules=tuple(map(str, rules.active_rules)))).to_pylist()
    assert (row["reasons"], row["reason"]) == (reasons, reasons and reasons[0])
    assert row["decision"] == ("drop" if reasons else "keep")
    assert (row["char_rate"], row["word_rate"]) == (5.5, 1.0)


def test_row_rejected_by_the_gate_has_its_reason():
    columns = {"text": ["a"], "small_pred_text": ["b c"], "small_wer": [2.0], "band": ["reject"]}
    assert judged_rows(Filter(preset="none"), **columns) == [("small", 2.0, "drop", "REJECTED_BY_GATE")]


@pytest.mark.parametrize(
    ("band", "decision"), [("reject", "drop"), ("escalate", "keep"), ("accept", "keep"), (None, "keep")]
)
def test_row_rejected_by_a_later_gate_is_dropped(band, decision):
    three = after_score(after_transcribe(after_gate(BEFORE_FILTER, "large"), "large2"), "large2")
    rows = shard_table(three, small_pred_text=["a"], band=["escalate"], large_pred_text=["a"], large_band=[band])
    rules = Rules(rules=tuple(map(str, Filter(preset="none").active_rules)))
    assert filter(rows, rules)["decision"].to_pylist() == [decision]


def test_two_rules_with_the_same_name_give_one_reason():
    rules = Rules(rules=("confidence >= 0.9",), unreferenced=("confidence >= 0.8",))
    rows = filter(shard_table(BEFORE_FILTER, small_pred_text=["a"], small_confidence=[0.5]), rules)
    assert rows["reasons"].to_pylist() == [["CONFIDENCE_BELOW_MIN"]]


@pytest.mark.parametrize("rule", ["LARGE: large_wer <= 0.3", "LARGE: words(large_pred_text) > 0"])
def test_audited_hypothesis_satisfies_no_rule(rule):
    columns = {"small_pred_text": ["a"] * 2, "large_pred_text": ["a"] * 2, "large_wer": [0.0] * 2}
    rows = filter(
        shard_table(BEFORE_FILTER, **columns, band=["accept", "escalate"], audit=[True, False]), Rules(rules=(rule,))
    )
    assert rows["decision"].to_pylist() == ["drop", "keep"]


def rows_kept(
    rule: str, phrases: tuple[str, ...] = (), repeated: pa.Table | None = None, **columns: list
) -> list[bool]:
    """Which rows keep the rule."""
    rows = filter(shard_table(BEFORE_FILTER, **columns), Rules(rules=(rule,), phrases=phrases), repeated)
    return [row["decision"] == "keep" for row in rows.to_pylist()]


WERS = [0.2, 0.3, 0.4, None]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("small_wer < 0.3", [True, False, False, False]),
        ("small_wer <= 0.3", [True, True, False, False]),
        ("small_wer == 0.3", [False, True, False, False]),
        ("small_wer != 0.3", [True, False, True, True]),
        ("small_wer >= 0.3", [False, True, True, False]),
        ("small_wer > 0.3", [False, False, True, False]),
        ("small_wer in 0.25..0.35", [False, True, False, False]),
        ("RANGE: small_wer in 0.25..0.35", [False, True, False, False]),
    ],
)
def test_unknown_value_violates_every_operator_but_unequal(rule, expected):
    rows = filter(shard_table(BEFORE_FILTER, small_wer=WERS), Rules(rules=tuple(map(str, parse(rule)))))
    assert [row["decision"] == "keep" for row in rows.to_pylist()] == expected


@pytest.mark.parametrize(
    ("rule", "columns", "expected"),
    [
        # the selected hypothesis
        ("cer <= 0.1", {"small_cer": [0.0, 0.5, 0.0], "large_cer": [None, 0.0, 0.5]}, [True, True, False]),
        ("tokens >= 9", {"small_tokens": [9, 5, None], "large_tokens": [None, 9, 1]}, [True, True, False]),
        ("wrong_run < 5", {"small_wrong_run": [4, 9, 0], "large_wrong_run": [None, 5, 4]}, [True, False, True]),
        ("begin_gap <= 10", {"small_begin_gap": [10, 0, 0], "large_begin_gap": [None, 11, 0]}, [True, False, True]),
        ("end_cer <= 0.5", {"small_end_cer": [0.5, 0, 0], "large_end_cer": [None, 0.6, 0]}, [True, False, True]),
        ("insertions <= 1", {"small_insertions": [2, 0, 0], "large_insertions": [None, 1, 2]}, [False, True, False]),
        ('model == "large"', {}, [False, True, True]),
        # what was measured in the audio
        ("clipped <= 0.01", {"clipped": [0.0, 0.02, None]}, [True, False, False]),
        ("silent < 0.5", {"silent": [0.4, 0.5, 0.0]}, [True, False, True]),
        ("narrowband == false", {"narrowband": [False, True, None]}, [True, False, False]),
        ("narrowband != true", {"narrowband": [False, True, None]}, [True, False, True]),
        ("sample_rate >= 16000", {"sample_rate": [16000, 8000, 44100]}, [True, False, True]),
        ("sample_rate in [16000, 8000]", {"sample_rate": [16000, 8000, 44100]}, [True, True, False]),
        ("sample_rate not in 9000..40000", {"sample_rate": [16000, 8000, None]}, [False, True, True]),
        # measures of texts
        ("word_rate in 0.3..2.67", {"text": ["a b", "a b c", ""], "duration": [1.0, 1.0, 1.0]}, [True, False, False]),
        (
            "char_rate(small_pred_text) <= 4",
            {"small_pred_text": ["abcd", "abcde", None], "duration": [1.0] * 3},
            [True, False, False],
        ),
        ("chars(text) >= 2", {"text": ["ab", " a ", "今日"]}, [True, False, True]),
        ("words(text) > 1", {"text": ["a b", "ab", "今日"]}, [True, False, True]),
        ("longest_word(text) < 5", {"text": ["four a", "fivee a", ""]}, [True, False, False]),
        ("word_jump(text) < 3", {"text": ["a abc", "a abcd", "alone"]}, [True, False, True]),
        ("unique_words(text) > 0.4", {"text": ["a b c", "ha, ha Ha ha ha", ""]}, [True, False, False]),
        ("ngram_copies(text, 2) <= 2", {"text": ["a b a b", "a b a b a b", "a"]}, [True, False, True]),
        ("charset(text, es) >= 1", {"text": ["Qué señor", "que?", ""]}, [True, False, False]),
        ('charset(text, "ab,") > 0.8', {"text": ["a, b", "a bcd", "bbbbbx"]}, [True, False, True]),
        ("all_caps(text) == false", {"text": ["Good", "GOOD, 5", "今日"]}, [True, False, True]),
        ("known_phrase(text) == false", {"text": ["thanks", "Thank you!", "you thank"]}, [True, False, True]),
    ],
)
def test_rule_keeps_the_rows_that_satisfy_it(rule, columns, expected):
    hypotheses = {"small_pred_text": ["x", "x", "x"], "large_pred_text": [None, "x", "x"]}
    assert rows_kept(rule, phrases=("thank you",), **hypotheses | columns) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("dnsmos >= 3", [True, False, False]),
        ('lang == "en"', [True, False, False]),
        ("lang in en, de", [True, True, False]),
        ("lang not in en", [False, True, True]),
        ("wanted in [3, 4]", [True, False, False]),
        ('lang != "de"', [True, False, True]),
        ("lang == text_lang", [True, False, False]),
        ("checked == true", [True, False, False]),
        ("checked != false", [True, False, True]),
        ("longest_word(note) < 4", [True, False, False]),
        ("input_wer < 0.5", [True, False, False]),
        ("dnsmos > wanted", [True, False, False]),
        ("dnsmos <= duration", [False, True, False]),
    ],
)
def test_fields_of_the_manifest_are_compared_by_the_type_in_the_rule(rule, expected):
    good = {"dnsmos": 3.5, "lang": "en", "text_lang": "en", "checked": True, "note": "abc", "wer": 0.1, "wanted": 3}
    bad = {"dnsmos": 2, "lang": "de", "text_lang": "en", "checked": False, "note": "abcd", "wer": 0.9, "wanted": 2}
    strange = {"dnsmos": "3.5", "wanted": 10**400, "lang": 5, "checked": "true", "note": None, "wer": True}
    rows = [json.dumps(fields) for fields in (good, bad, strange)]
    assert rows_kept(rule, fields=rows, duration=[3.0, 3.0, 3.0]) == expected


TEXTS = [["Hello!", "one", None], ["hello", "two", "hello"], ["", "two", "three"]]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("copies(text) <= 1", [[False, True], [False, False, False], [False, True]]),
        ("occurrence(text) <= 1", [[True, True], [False, True, False], [False, True]]),
        ("copies(text) < 3", [[False, True], [False, True, False], [True, True]]),
    ],
)
def test_duplicate_references_are_counted_over_the_whole_run(rule, expected):
    tables = [
        shard_table(BEFORE_FILTER, text=texts, reason=[None if t else "BAD_TEXT" for t in texts]) for texts in TEXTS
    ]
    counts = list(count_duplicates(hash_references(table, "basic") for table in tables))
    for table, repeated, keeps in zip(tables, counts, expected, strict=True):
        rows = filter(table, Rules(rules=(rule,)), repeated).to_pylist()
        assert [row["decision"] == "keep" for row in rows if row["decision"] != "quarantine"] == keeps


def test_run_without_rows_has_no_duplicates():
    empty = hash_references(
        shard_table(BEFORE_FILTER, text=pa.array([], pa.string()), reason=pa.array([], pa.string())), "basic"
    )
    assert [table.num_rows for table in count_duplicates([empty, empty])] == [0, 0]


NUMBER = st.floats(-2, 50, width=32).map(lambda number: f"{number:g}")
NUMBERS = [name for name, kind in RULE_COLUMNS.items() if kind == "number"]
MEASURED = [
    f"{name}({text})"
    for name, stat in TEXT_STATS.items()
    for text in ("text", "pred_text", "note")
    if stat.type == "number" and not stat.argument and name not in WHOLE_RUN
]
OPERATOR = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
WHETHER = st.sampled_from(["narrowband", "checked", "all_caps(text)"])
OTHERS = ['band != "reject"', "lang in en, de", "lang == note", "charset(text, de) >= 1", "copies(text) <= 1"]
RULES = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from([*NUMBERS, *MEASURED, "dnsmos"]), OPERATOR, NUMBER),
    st.builds("{} {} {}".format, WHETHER, st.sampled_from(["==", "!="]), st.sampled_from(["true", "false"])),
    st.sampled_from([*OTHERS, "ngram_copies(text, 2) < 2"]),
)
FIELD = st.sampled_from([None, 1, 2.5, True, "en", "x y"])
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(("dnsmos", "lang", "note", "checked"), FIELD))
ROWS = st.fixed_dictionaries(
    {
        "reason": st.sampled_from([None, None, None, "AUDIO_MISSING"]),
        "text": st.sampled_from(["a", "a b b", "GOOD", "今日", ""]),
        "fields": st.one_of(st.none(), FIELDS.map(json.dumps)),
        "duration": st.sampled_from([0.5, 2.0, 30.0]),
        "narrowband": st.sampled_from([None, True, False]),
        "band": st.sampled_from([None, "accept", "escalate", "reject"]),
        "small_pred_text": st.sampled_from([None, "a", "a b c", ""]),
        "small_wer": st.sampled_from([None, 0.0, 0.5, 1.5]),
        "large_pred_text": st.sampled_from([None, "a b", ""]),
        "large_wer": st.sampled_from([None, 0.0, 0.5]),
        "large_insertions": st.sampled_from([None, 0, 3]),
    }
)


@given(rows=st.lists(ROWS, max_size=6), some_rules=st.lists(RULES, max_size=4), other_rules=st.lists(RULES, max_size=3))
def test_every_row_is_decided_once_with_its_reasons_under_any_rules(rows, some_rules, other_rules):
    table = pa.Table.from_pylist([{"id": i} | row for i, row in enumerate(rows, 1)], BEFORE_FILTER)
    repeated = pa.table([[1] * len(rows)] * 2, schema=DUPLICATES)

    def judge_by(conditions: list[str]) -> list[dict]:
        rules = [f"R{i}: {rule}" for i, rule in enumerate(conditions)]
        return filter(table, Rules(rules=tuple(rules)), repeated).to_pylist()

    decided, first, second = judge_by(some_rules + other_rules), judge_by(some_rules), judge_by(other_rules)
    assert [row["id"] for row in decided] == table["id"].to_pylist()
    for row, source in zip(decided, rows, strict=True):
        if source["reason"]:
            assert (row["decision"], row["reason"], row["reasons"]) == ("quarantine", source["reason"], None)
        elif row["reasons"]:
            assert (row["decision"], row["reason"]) == ("drop", row["reasons"][0])
        else:
            assert (row["decision"], row["reason"], row["reasons"]) == ("keep", None, None)
    kept = [{row["id"] for row in rows if row["decision"] == "keep"} for rows in (decided, first, second)]
    assert kept[0] == kept[1] & kept[2]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("wer == 0", "KIZ ILIK"),
        ("copies(text) == 2", "KIZ ILIK"),
        ("known_phrase(text) == true", "KIZ ILIK"),
        ("known_phrase(text) == true", "kız ılık"),
        ("unique_words(text) == 0.5", "KIZ kız"),
        ("subtitle_phrase(text) == true", "ABONE OLMAYI UNUTMAYIN"),
    ],
)
def test_rules_see_turkish_texts_in_the_casing_of_the_rows_language(rule, text):
    columns = {"text": [text, "kız ılık"], "fields": ['{"lang": "tr"}'] * 2, "small_pred_text": ["kız ılık"] * 2}
    scored = score(shard_table(after_transcribe(UTTERANCE, "small"), **columns), "small", "basic")
    copies = next(count_duplicates([hash_references(scored, "basic")]))
    rules = Rules(rules=(rule,), phrases=(normalize("KIZ ILIK", "basic"),))
    assert decide(rules, Operands(scored, rules, copies))[0][0].as_py() == "keep"
