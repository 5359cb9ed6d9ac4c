"""Serve the review of a run on this machine, or write and read the files by which it is reviewed elsewhere."""

import getpass
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import uvicorn

from cli.console import console, errors
from winnow.errors import OptionError
from winnow.review.label_studio import read_annotations, write_tasks
from winnow.review.row_files import write_rows
from winnow.review.server import HOST, make_app
from winnow.review.session import Session
from winnow.runs.contents import REVIEWS


def review(
    output: str,
    reviewer: str | None,
    port: int,
    label_studio: Path | None,
    import_label_studio: Path | None,
    rows: Path | None,
    most: int,
) -> None:
    """Read or write the files that are named; serve the app if none is."""
    with exit_at_signals(), closing(Session(output, reviewer or user_name())) as session:
        for warning in session.warnings:
            errors.print(f"winnow: {warning}", markup=False, soft_wrap=True)
        if import_label_studio:
            say(f"{read_annotations(session, import_label_studio):,} new verdicts from {import_label_studio}")
        if label_studio:
            count = write_tasks(session, label_studio, most)
            say(f"{count:,} tasks: {label_studio}, with their audio in {label_studio}.audio")
        if rows:
            say(f"{write_rows(session, rows):,} dropped rows: {rows}")
        if not (import_label_studio or label_studio or rows):
            serve(session, port)


@contextmanager
def exit_at_signals() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, end the process as an exit does: decoded audio is removed.

    SIGHUP that is ignored stays ignored, as below nohup.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGTERM, exit_for)
    if before[signal.SIGHUP] is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # which the server knows
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_for(number: int, _: object) -> None:
    sys.exit(128 + number)


def user_name() -> str:
    """Return the name of the user on this machine; raises OptionError where it has none, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise OptionError("--reviewer: expected a name, since this user has none here") from error


def say(sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)


def serve(session: Session, port: int) -> None:
    """Serve until interrupted; port 0 is any free one."""
    token = secrets.token_urlsafe(24)
    session.index.prepare()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise OptionError(f"--port {port}: {error.strerror}: leave it out, for any free one") from error
        listener.listen()  # a browser that is faster than the server waits
        address = f"http://{HOST}:{listener.getsockname()[1]}/{token}/"
        (errors if console.quiet else console).print(f"review: {address}", markup=False, soft_wrap=True)
        run = shlex.quote(str(session.run.path))
        folder = session.run.path / REVIEWS
        errors.print(f"verdicts are written to {folder}; Ctrl-C ends", markup=False, soft_wrap=True)
        config = uvicorn.Config(make_app(session, token), log_level="warning", access_log=False)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    errors.print(f"to apply them: winnow refilter {run} --reviews --output NEW", markup=False, soft_wrap=True)
