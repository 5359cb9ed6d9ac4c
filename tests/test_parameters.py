"""Parameters: what is accepted survives being recorded, and what cannot be meant is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from winnow.errors import OptionError
from winnow.models.passes import Pass, check_distinct
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.ensemble import Ensemble, Rover
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.parameters.maintenance import Benchmark
from winnow.parameters.placement import Placement
from winnow.parameters.selection import Selection
from winnow.runs.run_record import load_settings, make_record

CURATION = {"manifest": "a.jsonl", "output": "out", "small": "a.nemo", "large": "b.nemo"}
MODELS = (Filter, Gate, EngineOptions, Rover, Placement, Selection)
FLOATS = [
    (model, name)
    for model in (*MODELS, Curation, Ensemble, Benchmark)
    for name, field in model.model_fields.items()
    if "float" in str(field.annotation)
]
REQUIRED: dict[type[BaseModel], dict[str, Any]] = {
    Curation: CURATION,
    Ensemble: {"manifest": "a.jsonl", "output": "out", "models": ["a.nemo", "b.nemo"]},
    Benchmark: {"manifest": "a.jsonl", "output": "out", "models": ["a.nemo"]},
}


@pytest.mark.parametrize("number", [float("inf"), float("nan"), "1e999"])
@pytest.mark.parametrize(("model", "name"), FLOATS)
def test_number_that_is_not_finite_is_refused(model, name, number):
    value = [number] if "list" in str(model.model_fields[name].annotation) else number
    with pytest.raises(ValidationError) as raised:
        model(**REQUIRED.get(model, {}) | {name: value})
    assert raised.value.errors()[0]["loc"][0] == name


NUMBERS = st.one_of(st.floats(), st.floats(0, 2), st.integers(0, 3), st.none())
RULES = st.lists(st.sampled_from(["cer <= 0.3", "lang in [en, 'de']", "X: snr >= 1e-7", "cer < 1e999"]), max_size=2)


def given_options(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw values for some of a model's numbers, and rules."""
    numbers = {name: NUMBERS for kind, name in FLOATS if kind is model}
    return st.fixed_dictionaries({}, optional=numbers | ({"rules": RULES} if model is Filter else {}))


@given(
    st.fixed_dictionaries(
        {"filter": given_options(Filter), "gate": given_options(Gate)}, optional={"shard_hours": NUMBERS}
    )
)
def test_accepted_parameters_are_recorded_and_read_back_equal(tmp_path_factory, options):
    try:
        settings = Curation(**CURATION | options)
    except ValidationError:
        return
    run = tmp_path_factory.mktemp("run")
    settings = settings.model_copy(update={"output": str(run), "manifest": str(run / "corpus.jsonl")})
    text = json.dumps(make_record(run, settings, {}, {}).model_dump(), allow_nan=False)
    (run / "run.json").write_text(text)
    assert load_settings(run) == settings
    assert Curation.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("model", "option", "complaint"),
    [
        (Filter, {"max_wer": 25}, "25 is above 2, but this is a fraction: 0.25?"),
        (Filter, {"max_wer": "25"}, "25 is above 2, but this is a fraction: 0.25?"),
        (Filter, {"min_agreement": 80}, "80 is above 1, but this is a fraction: 0.8?"),
        (Filter, {"min_confidence": 95.5}, "95.5 is above 1, but this is a fraction: 0.955?"),
        (Filter, {"max_wer": 250}, "250 is above 2, but this is a fraction"),
        (Gate, {"accept": 20}, "20 is above 2, but this is a fraction: 0.2?"),
        (Gate, {"reject": 105}, "105 is above 2, but this is a fraction: 1.05?"),
        (Gate, {"audit": 5}, "5 is above 1, but this is a fraction: 0.05?"),
        (Gate, {"budget": 40}, "40 is above 1, but this is a fraction: 0.4?"),
        (Gate, {"accept_agreement": 100}, "100 is above 1, but this is a fraction: 1?"),
        (Rover, {"alpha": 50}, "50 is above 1, but this is a fraction: 0.5?"),
        (Placement, {"share": 25}, "25 is above 1, but this is a fraction: 0.25?"),
    ],
)
def test_percentage_is_refused_with_the_fraction(model, option, complaint):
    with pytest.raises(ValidationError) as raised:
        model(**option)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"large": "a.nemo"}, "--large: a.nemo is the small model, too"),
        ({"extra_models": ["c.nemo", "b.nemo"]}, "--extra-models: b.nemo is an earlier model, too"),
        ({"extra_models": ["c.nemo", "c.nemo"]}, "--extra-models: c.nemo is an earlier model, too"),
        (
            {"languages": {"de": {"small": "d.nemo", "large": "d.nemo"}}},
            "--languages.de.large: d.nemo is the small model",
        ),
    ],
)
def test_same_model_twice_in_a_cascade_is_refused(options, complaint):
    with pytest.raises(ValidationError) as raised:
        Curation(**CURATION | options)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [{"small": ""}, {"large": ""}, {"extra_models": [""]}, {"languages": {"de": {"small": "d.nemo", "large": ""}}}],
)
def test_empty_name_of_a_model_is_refused(options):
    """It comes from a variable that is not set, and would be taken for no model."""
    with pytest.raises(ValidationError, match="the name of a model is empty"):
        Curation(**CURATION | options)


def test_models_that_are_selected_may_both_be_auto():
    assert Curation(**CURATION | {"small": "auto", "large": "auto"}).auto


def test_same_file_under_two_names_is_refused(hears, tmp_path):
    names = hears(small={"a.wav": "one"}, large={"a.wav": "one"}, other={"a.wav": "two"})
    passes = {role: precomputed(role, name) for role, name in names.items()}
    check_distinct([passes["small"], passes["other"]])
    with pytest.raises(OptionError, match="the large model is the same file as the small one"):
        check_distinct([passes["small"], passes["large"]])


def precomputed(role: str, path: str) -> Pass:
    from winnow.models.resolve import resolve

    return Pass(role=role, checkpoint=resolve(path, trust_unpinned=True), options=EngineOptions())
