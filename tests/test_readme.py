"""The README and the pages of docs/ say what is true: commands parse, links lead somewhere, tables match the code."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App
from cyclopts.exceptions import CycloptsError, MissingArgumentError

from cli.app import QUIET, app
from docs.generate import columns_page, normalization_page, parameters_page
from winnow.errors import EXIT_CODES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("[a-z]*/README.md"))
}


def commands(pattern: str) -> list[tuple[str, str]]:
    """List the winnow commands that match a pattern, each with its page; comments behind them are left out."""
    blocks = {
        (name, re.sub(r" +#.*", "", line))
        for name, page in PAGES.items()
        if name != "CHANGELOG.md"
        for line in re.findall(pattern, page, re.MULTILINE)
    }
    return sorted(blocks)


@pytest.mark.parametrize(("page", "command"), commands(r"^ {4}(winnow .*)$"))
def test_commands_in_code_blocks_parse(page: str, command: str):
    try:
        app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        pytest.fail(f"{page}: {command}: {error}")


@pytest.mark.parametrize(("page", "command"), commands(r"`(winnow [^`\n]+)`"))
def test_commands_in_sentences_exist(page: str, command: str):
    """Such as `winnow resume out`, or only `winnow ensemble`; arguments may be missing, but not unknown."""
    words = shlex.split(command.replace("COMMAND", "curate"))[1:]
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        assert words[0] in list(app)
    except CycloptsError as error:
        pytest.fail(f"{page}: {command}: {error}")


def flags(current: App) -> set[str]:
    names = {
        name
        for argument in (current.assemble_argument_collection() if current.default_command else ())
        for name in argument.names
        if name.startswith("--")
    }
    return names | {flag for name in list(current) if not name.startswith("-") for flag in flags(current[name])}


def test_every_flag_in_the_documentation_exists():
    known = {"--help", "--version", QUIET} | {
        flag for name in list(app) if not name.startswith("-") for flag in flags(app[name])
    }
    prefixes = {flag.rpartition(".")[0] for flag in known if "." in flag} | {"--languages"}
    for name, page in PAGES.items():
        if name.startswith(("CHANGELOG", "deployments", "CONTRIBUTING")):
            continue
        for flag in re.findall(r"`(--[a-z][a-z.-]+)[^`]*`", page):
            base = flag.split(".")[0]
            if name in ("docs/cluster.md", "docs/prefect.md") and flag in ("--resources", "--limit"):
                continue
            assert flag in known or flag in prefixes or base in ("--languages",), f"{name}: {flag}"


def test_readme_is_short():
    assert len(README.splitlines()) <= 150


def test_generated_pages_are_up_to_date():
    """After a change of a parameter or a column: python -m docs.generate."""
    assert PAGES["docs/parameters.md"] == parameters_page()
    assert PAGES["docs/columns.md"] == columns_page()
    assert PAGES["docs/normalization.md"] == normalization_page()


def test_every_exit_code_is_documented():
    rows = re.findall(
        r"^\| (\d+) \| (.*) \|$", PAGES["docs/reliability.md"].partition("## Exit codes")[2], re.MULTILINE
    )
    table = {int(code): meaning for code, meaning in rows if "|" not in meaning}
    assert table == EXIT_CODES


def test_every_make_target_in_the_documentation_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, page in PAGES.items():
        named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", page, re.MULTILINE))
        assert named <= targets, name


def test_make_bench_runs_what_the_page_on_performance_says():
    (listed,) = re.findall(r"for name in ([a-z_ ]+); do", (ROOT / "Makefile").read_text())
    cited = set(re.findall(r"python -m benchmarks\.(\w+)", PAGES["docs/performance.md"]))
    assert cited - set(listed.split()) == {"real_speech", "gpu"}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_link_leads_to_a_file_and_its_heading(name: str):
    for link in re.findall(r"\]\((?!https?://|mailto:)([^)]+)\)", PAGES[name]):
        target, _, anchor = link.partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), f"{name}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{name}: {link}"


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert all(f"- {path.name}\n" in navigation for path in (ROOT / "docs").glob("*.md"))


def test_every_file_named_in_the_documentation_exists():
    tops = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    for name, page in PAGES.items():
        if name == "CHANGELOG.md":
            continue
        for path in re.findall(rf"`((?:{tops})/[\w./@-]+)`", page):
            assert (ROOT / path).exists() or "/run/" in path, f"{name}: {path}"


def test_site_requests_nothing_from_other_sites(tmp_path: Path):
    """Built strictly, so that a broken link or reference is an error; a link to another site is no request."""
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    for file in tmp_path.glob("*.html"):
        assert not re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["']?(?:https?:)?//""", file.read_text())


def test_every_fault_names_existing_tests():
    table = re.findall(
        r"^\| (\d+) \|.*\| (.*) \|$", PAGES["docs/reliability.md"].partition("## Faults")[2], re.MULTILINE
    )
    assert [int(row) for row, _ in table] == list(range(1, len(table) + 1))
    for row, cell in table:
        file = None
        assert "`" in cell, f"row {row}"
        for name, all_tests in re.findall(r"`([^`]+)`( \(all\))?", cell):
            path, _, test = name.partition("::")
            assert test or all_tests, f"row {row}: which test of {path}?"
            file = Path(path) if path != "…" else file
            assert file is not None
            text = (ROOT / (file if file.parts[0] == "tests" else Path("tests/faults") / file)).read_text()
            assert f"\ndef {test.rstrip('…')}" in text, f"row {row}: {name}"
