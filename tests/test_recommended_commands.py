"""Every command that a report recommends is accepted by the command line and by the checks before a run."""

import inspect
import json
import re
import shlex

import pytest

from cli.app import app, main
from tests.in_process import curate, ensemble
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.export import Export
from winnow.parameters.maintenance import Relabel
from winnow.parameters.segment import Segment
from winnow.reports import escalation_advice, recommendations
from winnow.reports.counts import ReasonCount, UtteranceCount
from winnow.reports.follow_up import FollowUp
from winnow.reports.recommendation import figure_at
from winnow.reports.recommendations import recommend
from winnow.review.session import Session
from winnow.runs.command import command_of
from winnow.runs.retry import parse_reasons
from winnow.runs.run_record import Derivation, load_settings, with_absolute_paths
from winnow.runs.storage import location
from winnow.validation.before_start import check_relabel, check_run

ROWS = [
    {"audio_filepath": f"{number}.wav", "duration": 1.0, "text": f"good morning dear {number}", "lang": "de"}
    for number in range(24)
]
GARBAGE = {row["audio_filepath"]: "who knows what was said" for row in ROWS}
WORSE = {name: f"{text} by whom" for name, text in GARBAGE.items()}
GATE = {"accept": 0.1, "reject": 1.5}
HALF_RIGHT = {row["audio_filepath"]: row["text"] for row in ROWS[:12]} | dict(list(GARBAGE.items())[12:])
CHECKS = {
    "curate": lambda settings: check_run(settings),
    "ensemble": lambda settings: check_run(settings),
    "relabel": lambda run, output: check_relabel(Relabel(run=run, output=output)),
    "resume": lambda output, retry: (load_settings(location(output)), parse_reasons(retry)),
    "review": lambda run: Session(run, "me").close(),
    "models": lambda language: None,
}
"""What each recommended command checks before it starts anything."""


def accept(command: str) -> None:
    """Have the command line and the checks of a command take it; fails if they refuse."""
    words = shlex.split(command)[1:]
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    given = {
        name: str(value) if name in ("run", "output", "manifest") else value for name, value in bound.arguments.items()
    }
    CHECKS[words[0]](**given)


@pytest.mark.parametrize(
    "settings",
    [
        Curation(manifest="c.jsonl", output="out", small="s.nemo"),
        Curation(
            manifest="https://host/a b.jsonl",
            output="s3://bucket/out",
            small="s.nemo",
            large="nvidia/l@0123456789",
            extra_models=["x.nemo", "y.nemo"],
            languages={"de": {"small": "d.nemo"}, "zh-tw": {"small": "z.nemo", "large": "zz.nemo"}},
            gate={"accept": 0.1, "audit": 0.0},
            filter={"rules": ("cer <= 0.3", 'lang == "en"'), "max_wer": 0.2},
            engine={"evidence": False, "batch_seconds": 40},
            trust_unpinned=True,
            references="optional",
        ),
        Ensemble(manifest="c.jsonl", output="out", models=["a.nemo", "b.nemo"], rover={"alpha": 0.25}),
        Segment(manifest="c.jsonl", output="out", model="s.nemo", by="speaker", ctm=True, pause=0.75),
        Export(run="run", form="hf", output="-out", against=["a b.jsonl", "c.jsonl"], drop_leaks=True, push="me/data"),
    ],
)
def test_command_of_a_run_sets_its_parameters(settings):
    _, bound, _ = app.parse_args(command_of(settings)[1:], exit_on_error=False, print_error=False)
    assert with_absolute_paths(bound.arguments["settings"]) == with_absolute_paths(settings)


@pytest.mark.parametrize("language", [None, "de", "--offline"])  # the last one as a manifest may have it
def test_language_of_a_manifest_is_no_option(language):
    command = FollowUp(
        Curation(manifest="c.jsonl", output="out", small="s.nemo"), "out", language=language
    ).list_models()
    _, bound, _ = app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)
    assert bound.arguments == ({"language": language} if language else {})


@pytest.mark.parametrize("flow", ["refilter", "relabel"])
@pytest.mark.parametrize("reviews", [True, False])
def test_relabelling_of_a_reviewed_run_follows_its_reviews(cascade, flow, reviews):
    run, report = cascade
    report = report.model_copy(update={"proposals": UtteranceCount(utterances=3, hours=0.1)})
    derived = Derivation(flow=flow, run=str(run), reviews=reviews)
    advised = recommend(report, FollowUp(load_settings(run), f"{run}-new", derived))
    commands = [advice.command for advice in advised if advice.kind == "proposed_references"]
    wanted = ["winnow", "relabel", str(run), "--output", f"{run}-relabelled", *(["--reviews"] if reviews else [])]
    assert commands == ([shlex.join(wanted)] if flow == "refilter" else [])


@pytest.fixture
def cascade(manifest, hears, tmp_path):
    """A run of a cascade that keeps nothing, and its report."""
    rows = [*ROWS, {"audio_filepath": "gone.wav", "duration": 1.0, "text": "a"}]
    corpus = manifest(*ROWS)
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = tmp_path / "cascade run"
    report = curate(manifest=corpus, output=run, **hears(small=GARBAGE, large=WORSE), gate=GATE)
    return run, report


def test_every_recommended_command_is_accepted(cascade, manifest, hears, tmp_path, capsys):
    run, report = cascade
    wer = report.wer["all"]
    read_well = report.wer | {"all": wer.model_copy(update={"mean": 0.4, "median": 0.03, "std": 0.6})}
    varying = report.wer | {"all": wer.model_copy(update={"std": 0.6})}
    many = {"BAD_TEXT": ReasonCount(utterances=9, hours=None)}
    variants = [
        report,
        report.model_copy(update={"wer": read_well, "alike": 9}),
        report.model_copy(update={"wer": varying, "proposals": UtteranceCount(utterances=3, hours=0.1)}),
        report.model_copy(update={"reasons": many, "quarantined": 9}),
    ]
    follow_up = FollowUp(load_settings(run), str(run), language="de")
    advised = [(variant, advice) for variant in variants for advice in recommend(variant, follow_up)]
    assert [advice for variant, advice in advised if variant is report] == report.recommendations
    names = [*hears(good=HALF_RIGHT, bad=GARBAGE, worse=WORSE).values()]
    for number in (2, 3):
        vote = ensemble(manifest=manifest(*ROWS), output=tmp_path / f"vote{number}", models=names[:number])
        advised += [(vote, advice) for advice in vote.recommendations]
    for variant, advice in advised:
        assert advice.command is not None
        accept(advice.command)
        values = variant.model_dump()
        assert advice.evidence == {path: figure_at(values, path) for path in advice.evidence} != {}
    kinds = {advice.kind for _, advice in advised}
    assert kinds == set(re.findall(r'advise\(report, "(\w+)"', inspect.getsource(recommendations)))
    with pytest.raises(SystemExit, match=r"^0$"):
        main(shlex.split(next(advice.command for _, advice in advised if advice.kind == "high_wer"))[1:])
    assert " models; compare error rates" in capsys.readouterr().out


def test_new_run_that_is_recommended_runs(cascade):
    """The recommended gate rejects what nothing rescues, and fewer rows are escalated."""
    run, report = cascade
    (advice,) = [advice for advice in report.recommendations if advice.kind == "hopeless_escalations"]
    _, bound, _ = app.parse_args(shlex.split(advice.command)[1:], exit_on_error=False, print_error=False)
    again = curate(**{name: getattr(bound.arguments["settings"], name) for name in Curation.model_fields})
    assert again.bands["escalate"].utterances < report.bands["escalate"].utterances
    assert (run.parent / f"{run.name}-stricter" / "report.html").exists()

    settings = load_settings(run)
    at_once = settings.model_copy(update={"gate": settings.gate.model_copy(update={"accept": 0.25, "reject": 0.25})})
    assert escalation_advice.escalate_fewer_bad(report, FollowUp(at_once, str(run))) is None


def test_recommended_folder_is_one_that_is_not_taken(tmp_path):
    settings = Curation(manifest="c.jsonl", output=str(tmp_path / "out"), small="s.nemo")
    follow_up = FollowUp(settings, str(tmp_path / "out"))
    outputs = []
    for _ in range(3):
        words = shlex.split(str(follow_up.relabel()))
        outputs.append(words[words.index("--output") + 1])
        location(outputs[-1]).mkdir()
    assert outputs == [f"{tmp_path}/out-relabelled{number}" for number in ("", "-2", "-3")]
    assert f"--output {tmp_path}/out-faster" in str(follow_up.run_again(settings, "faster"))
    assert FollowUp(settings, "s3://bucket/out").relabel().split()[4] == "s3://bucket/out-relabelled"
