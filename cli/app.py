"""The `winnow` command. Heavy modules are imported only by the command that needs them."""

import os
import signal
import sys
from importlib.metadata import version
from itertools import pairwise

from cyclopts import App, Parameter

from cli.console import EscapingConsole, console
from cli.corpus_commands import peek, segment
from cli.error_lines import explain, format_error
from cli.machine_commands import benchmark, deploy, doctor, download_models, serve
from cli.models_commands import models
from cli.result_commands import diff, export, review, verify
from cli.rules_commands import presets, refilter, relabel, sweep
from cli.run_commands import curate, ensemble, incremental, resume
from flows.server.environment import keep_current_folder_off_path
from flows.server.proxies import exempt_this_machine
from winnow.errors import EXIT_CODES
from winnow.parameters.redaction import redact_text

QUIET = "--quiet"
"""The option of every command that has it print only warnings and errors."""


app: App = App(
    name="winnow",
    help="Turn speech manifests into datasets for training.",
    version=version("winnow"),
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),  # --models a.nemo b.nemo
    error_formatter=lambda error: format_error(error, app),
    error_console=EscapingConsole(stderr=True, soft_wrap=True, markup=False),
    help_epilogue=f"With {QUIET}, every command prints only warnings, errors and what --json asks for.\n\nExit codes: "
    + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    + ".",
)


COMMANDS = (
    curate,
    peek,
    ensemble,
    incremental,
    resume,
    verify,
    diff,
    models,
    download_models,
    doctor,
    benchmark,
    refilter,
    relabel,
    review,
    export,
    segment,
    sweep,
    presets,
    deploy,
    serve,
)
for command in COMMANDS:
    app.command(command)


def main(words: list[str] | None = None) -> None:
    """Run the command. Print Winnow's own errors as one line, any other with its traceback, all of it printable."""
    keep_current_folder_off_path()
    exempt_this_machine()
    words = sys.argv[1:] if words is None else words
    console.quiet = QUIET in words
    words = [word for word in words if word != QUIET]
    try:
        app([word for before, word in pairwise(["", *words]) if (before, word) != ("--json", "-")])
    except KeyboardInterrupt:  # outside of a run, which handles it itself
        print("winnow: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # as in `winnow models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        text, exit_code = explain(error)
        print(redact_text(text), file=sys.stderr)
        sys.exit(exit_code)


if __name__ == "__main__":
    main()
