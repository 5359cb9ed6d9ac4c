"""Every option that an error or a recommendation names exists, and is accepted where it is recommended."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache, reduce
from operator import getitem

import pytest
from cyclopts import App, CycloptsError

from cli.app import QUIET, app
from cli.error_lines import format_error
from tests.test_layers import shipped_modules
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.schema import QUARANTINE_REASONS, REMEDIES, remedy_for

FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*(?:\.[a-z0-9_-]+)*")

COMMANDS = {
    "curate": "a.jsonl --output out --small s.nemo --large l.nemo",
    "ensemble": "a.jsonl --output out --models a.nemo b.nemo",
    "incremental": "a.jsonl --output out --small s.nemo",
    "resume": "out",
    "verify": "out",
    "models": "",
    "models show": "name",
    "models choose": "a.jsonl",
    "download-models": "a.nemo",
    "doctor": "",
    "benchmark": "a.jsonl --models a.nemo --output out",
    "refilter": "out",
    "relabel": "out --output new",
    "review": "out",
    "export": "out --form nemo --output new",
    "segment": "a.jsonl --output new",
    "sweep": "out",
    "diff": "out new",
    "peek": "a.jsonl",
    "presets": "",
    "deploy": "",
    "serve": "",
}
"""Valid arguments of every command."""

BAD_VALUES = ["", "x", "-1", "2", "nan", "{}", "https://me:secret@host/a"]


@cache
def flags(command: str) -> set[str]:
    """Return the options of a command."""
    arguments = reduce(getitem, command.split(), app).assemble_argument_collection()
    return {name for argument in arguments for name in argument.names if name.startswith("--")}


def known(flag: str, command: str) -> bool:
    """Tell whether a command has an option; those of a language are named after it."""
    languages = re.compile(r"--languages\.[a-z-]+\.(small|large)")
    return flag in flags(command) or (command in ("curate", "incremental") and languages.fullmatch(flag) is not None)


def parse_error(words: list[str]) -> str:
    """Return what is wrong with the words of a command; nothing if they are accepted."""
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return format_error(error, app)
    return ""


def all_commands(current: App, name: str = "") -> Iterator[str]:
    for word in current:
        if not word.startswith("-"):
            yield f"{name} {word}".strip()
            yield from all_commands(current[word], f"{name} {word}".strip())


def test_table_has_every_command():
    assert set(COMMANDS) == set(all_commands(app))


@pytest.mark.parametrize("command", COMMANDS)
def test_error_about_a_value_names_only_options_of_the_command(command):
    """All options with each bad value, and the command without some of its arguments."""
    words = [*command.split(), *COMMANDS[command].split()]
    assert parse_error(words) == ""
    wrong = [[*command.split(), *(word for flag in flags(command) for word in (flag, value))] for value in BAD_VALUES]
    shorter = [words[:end] for end in range(len(command.split()), len(words))]
    named = {flag for line in [*wrong, *shorter] for flag in FLAG.findall(parse_error(line))}
    assert {flag for flag in named if not known(flag, command)} == set()


@pytest.mark.parametrize(
    "words",
    [
        "curate a.jsonl --output out",
        "curate a.jsonl --small s.nemo",
        "curate",
        "ensemble a.jsonl --output out",
        "refilter",
        "benchmark a.jsonl",
        "curate a.jsonl --output out --small s.nemo --gate.accept 0.1 --gate.by wer",
        "curate a.jsonl --output out --small s.nemo --large-placement.pool a",
        "curate a.jsonl --output out --small s.nemo --select.language de",
        "curate a.jsonl --output out --small s.nemo --languages.de.large l.nemo",
        "curate a.jsonl --output out --small s.nemo --languages.de.small s.nemo --languages.de.large l.nemo",
        "curate a.jsonl --output out --small s.nemo --dask.workers 2 --small-placement.share 0.5",
        "curate a.jsonl --output out --small s.nemo --extra-models x.nemo",
        "curate a.jsonl --output out --small s.nemo --large l.nemo --gate.by agreement",
        "curate a.jsonl --output out --small s.nemo --large l.nemo --gate.accept 0.9",
        "curate a.jsonl --output out --small s.nemo --large l.nemo --gate.budget 0.3",
        "curate a.jsonl --output out --small s.nemo --large l.nemo --gate.preset budget --filter.preset none",
        "curate a.jsonl --output out --small s.nemo --large l.nemo --references optional --gate.by wer",
        "ensemble a.jsonl --output out --models a.nemo b.nemo --method confidence --rover.alpha 0.3 --rover.exponent 1",
        "ensemble a.jsonl --output out --models a.nemo b.nemo --models-placement.cpus 1",
        "benchmark a.jsonl --models a.nemo --output out --engine.batch-seconds 4",
    ],
)
def test_error_about_several_options_names_those_that_were_given_or_are_missing(words):
    command = words.split()[0]
    error = parse_error(words.split())
    named = FLAG.findall(error)
    assert named
    assert [flag for flag in named if not known(flag, command)] == []


DASK, PREFECT = {"--scheduler-file", "--resources"}, {"--pool", "--port", "--no-prompt", "--all", "--prefect-file"}
PIP, NVIDIA_SMI = {"--editable", "--constraint", "--force-reinstall"}, {"--query-gpu", "--format"}
EXTERNAL = DASK | PREFECT | PIP | NVIDIA_SMI
"""Options of other commands."""


def test_every_option_in_a_message_of_the_code_exists():
    every = {flag for command in COMMANDS for flag in flags(command)} | {"--help", "--version", QUIET} | EXTERNAL
    unknown = [
        f"{module}: {flag}"
        for module, path in shipped_modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for flag in FLAG.findall(node.value)
        if flag not in every and not flag.startswith("--languages.")
    ]
    assert unknown == []


@pytest.mark.parametrize("reason", REMEDIES)
def test_remedy_of_a_reason_is_accepted_by_a_run(reason):
    assert reason in QUARANTINE_REASONS
    (flag,) = FLAG.findall(REMEDIES[reason])
    value = {"--references": "optional", "--audio-root": "audio", "--engine.max-seconds": "300"}[flag]
    assert parse_error(shlex.split(f"curate {COMMANDS['curate']} {flag} {value}")) == ""


def test_ensemble_is_never_told_to_leave_out_references():
    settings = Ensemble(manifest="a.jsonl", output="out", models=["a.nemo", "b.nemo"])
    remedies = [remedy_for(reason, settings.referenced) for reason in REMEDIES]
    named = {flag for remedy in remedies if remedy for flag in FLAG.findall(remedy)}
    assert named
    assert {flag for flag in named if not known(flag, "ensemble")} == set()
    assert remedy_for("BAD_TEXT", Curation(manifest="a.jsonl", output="out", small="a.nemo").referenced)
