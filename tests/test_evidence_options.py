"""Options about the doubt of references: they are used, or refused with the reason."""

import re

import pytest

from winnow.errors import OptionError, RuleError
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.parameters.gate_limits import gates_after_small
from winnow.validation.evidence_options import check_filter_options, check_gate_options
from winnow.validation.rules import rules_for


def curation(**parameters) -> Curation:
    return Curation(**{"manifest": "a.jsonl", "output": "out", "small": "s.nemo", "large": "l.nemo"} | parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"filter": Filter(lose=0.01)},
        {"filter": Filter(lose=0.01), "large": None},
        {"filter": Filter(max_doubt=3), "large": None},
        {"filter": Filter(lose=0.01, max_doubt=3)},
        {"filter": Filter(lose=0.01), "gate": Gate(preset="everything")},
        {"filter": Filter(lose=0.01), "small": "auto"},
        {"gate": Gate(escalate=0.3)},
        {"gate": Gate(accept_doubt=1, reject_doubt=20)},
        {"gate": Gate(by="evidence", accept_doubt=1)},
    ],
)
def test_run_that_goes_by_doubt_accepts_options_about_it(parameters):
    settings = curation(**parameters)
    check_filter_options(settings)
    check_gate_options(settings)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"engine": EngineOptions(evidence=False)}, "--engine.evidence is false"),
        ({"small": "a.jsonl"}, "the small model gives no likelihoods, so references are judged by their WER"),
        ({"gate": Gate(preset="guide")}, "--gate.preset guide does not go by doubt: use --gate.preset bands"),
        ({"gate": Gate(preset="budget")}, "--gate.preset budget does not go by doubt: use --gate.preset bands"),
        ({"gate": Gate(by="wer")}, "the gate goes by wer (--gate.by wer)"),
    ],
)
@pytest.mark.parametrize("option", ["lose", "max_doubt"])
def test_limits_of_doubt_of_the_filter_are_refused_where_the_run_goes_by_wer(option, parameters, reason):
    with pytest.raises(
        OptionError, match=re.escape(f"--filter.{option.replace('_', '-')}: not used, because {reason}")
    ):
        rules_for(curation(filter=Filter(**{option: 0.5}), **parameters))


def test_limits_of_doubt_are_refused_with_rules_of_other_recipes_and_in_ensembles():
    preset = "--filter.lose: not used, because --filter.preset none does not go by doubt: use --filter.preset winnow"
    with pytest.raises(OptionError, match=re.escape(preset)):
        rules_for(curation(filter=Filter(preset="none", lose=0.01)))
    with pytest.raises(OptionError, match=r"--filter\.max-doubt: not used, because an ensemble judges"):
        rules_for(Ensemble(manifest="a.jsonl", output="out", models=["a.nemo", "b.nemo"], filter=Filter(max_doubt=1)))


def test_share_to_lose_is_refused_where_the_limit_of_the_only_model_is_given():
    with pytest.raises(OptionError, match=r"--filter\.lose: not used, because --filter\.max-doubt is the limit"):
        check_filter_options(curation(large=None, filter=Filter(lose=0.01, max_doubt=3)))


@pytest.mark.parametrize(
    ("gate", "parameters", "complaint"),
    [
        ({"escalate": 0.1, "preset": "guide"}, {}, "--gate.escalate: not used, because --gate.preset guide does not"),
        ({"escalate": 0.1, "by": "wer"}, {}, "--gate.escalate: not used, because the gate goes by wer"),
        ({"by": "evidence"}, {"filter": Filter(preset="curator-good")}, "--gate.by evidence: not used, because --filt"),
        ({"by": "evidence"}, {"engine": EngineOptions(evidence=False)}, "--gate.by evidence: not used, because --engi"),
        ({"by": "evidence", "preset": "guide"}, {}, "--gate.by evidence: not used, because --gate.preset guide"),
        ({"accept_doubt": 1}, {"small": "a.jsonl"}, "--gate.accept-doubt: not used, because the small model gives"),
        ({"reject_doubt": 9}, {"filter": Filter(preset="none")}, "--gate.reject-doubt: not used, because --filter.p"),
    ],
)
def test_options_about_doubt_of_the_gate_are_refused_where_the_run_goes_by_wer(gate, parameters, complaint):
    with pytest.raises(OptionError, match=re.escape(complaint)):
        check_gate_options(curation(gate=Gate(**gate), **parameters))


@pytest.mark.parametrize(
    ("gate", "filter", "complaint"),
    [
        ({"accept_doubt": 3, "by": "wer"}, {}, "--gate.accept-doubt: not used, because the gate compares wer"),
        ({"accept_doubt": 3, "preset": "guide"}, {}, "--gate.accept-doubt: not used, because the gate compares wer"),
        ({"accept_doubt": 3, "preset": "budget"}, {}, "--gate.accept-doubt: not used, because the gate compares wer"),
        ({"accept_doubt": 3, "reject_doubt": 2}, {}, "--gate.accept-doubt (3): must not be above --gate.reject-doubt"),
        ({"accept_doubt": 3}, {"max_doubt": 2}, "--gate.accept-doubt (3): must not be above the highest doubt that"),
        ({"accept_doubt": 3, "escalate": 0.2}, {}, "--gate.escalate: not used, because --gate.accept-doubt says"),
        ({"preset": "everything", "escalate": 0.2}, {}, "--gate.escalate: not used, because --gate.preset everything"),
    ],
)
def test_options_that_contradict_each_other_are_refused_at_once(gate, filter, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        curation(gate=Gate(**gate), filter=Filter(**filter))


def test_preset_guide_compares_wer_as_the_guide_says():
    gates = gates_after_small(Gate(preset="guide"), Filter(preset="guide"))
    assert (gates.by, gates.limits["wer"].accept, gates.limits["wer"].reject) == ("auto", None, 0.5)
    rules = rules_for(curation(gate=Gate(preset="guide"), filter=Filter(preset="guide")))
    assert rules.rules[-2:] == ("SMALL_WER_ABOVE_MAX: small_wer <= 0.5", "WER_ABOVE_MAX: wer <= 0.25")
    assert rules.without_evidence == ()


def test_reference_without_evidence_is_judged_by_wer():
    rules = rules_for(curation())
    assert [rule.name for rule in rules.general_rules] == ["DOUBTFUL", "REJECTED_BY_GATE"]
    assert rules.without_evidence == ("WER_ABOVE_MAX: wer <= 0.25",)


@pytest.mark.parametrize("limit", [0.1, 0.25])
def test_limit_of_wer_that_is_given_holds_for_every_reference(limit):
    rules = rules_for(curation(filter=Filter(max_wer=limit)))
    assert f"WER_ABOVE_MAX: wer <= {limit}" in rules.rules
    assert rules.without_evidence == ()


def test_doubtful_is_a_name_of_winnows_own():
    with pytest.raises(RuleError, match="DOUBTFUL is a reason of Winnow's own"):
        rules_for(curation(filter=Filter(rules=("DOUBTFUL: cer <= 0.1",))))


def test_rule_of_the_gate_must_be_one_that_the_small_model_can_follow():
    with pytest.raises(RuleError, match="this run has no large model"):
        rules_for(curation(gate=Gate(rules=("large_wer <= 0.1",))))
