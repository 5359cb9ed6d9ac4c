"""Commands that run in processes forked from one that has imported them: the import costs more than most commands."""

import atexit
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.preloaded"])


class Command:
    """A running command: a process of its own, with an environment, signals and a standard error of its own.

    `first` is called in that process before the command.
    """

    def __init__(self, *words: object, environment: dict[str, str], first: Callable[[], None] | None = None) -> None:
        read, write = forkserver.Pipe(duplex=False)
        self.process = forkserver.Process(target=run, args=(list(map(str, words)), environment, first, write))
        self.process.start()
        write.close()
        self.lines: list[str] = []
        """Those printed to standard error so far."""
        self.reader = threading.Thread(target=self._read, args=(read,), daemon=True)
        self.reader.start()

    def _read(self, read: Connection) -> None:
        with open(read.fileno(), closefd=False) as stderr:
            for line in stderr:
                self.lines.append(line)
        read.close()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while the command runs."""
        return self.process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; fail if the command ends before."""
        while not condition():
            if self.poll() is not None:
                assert condition(), self.log
                return
            time.sleep(0.01)

    def end(self, timeout: float) -> tuple[int, str]:
        """Wait for the end of the command; return its exit code and what it printed to standard error."""
        self.process.join(timeout)
        code = self.poll()
        assert code is not None, f"still running after {timeout} s: {self.log}"
        self.reader.join(timeout)
        return code, self.log


def run(words: list[str], environment: dict[str, str], first: Callable[[], None] | None, stderr: Connection) -> None:
    """Run a command as an interpreter of its own would: from Prefect's settings to the exit handlers."""
    os.dup2(stderr.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ.clear()
    os.environ |= environment
    from prefect.context import refresh_global_settings_context

    from cli.app import main
    from flows.server.environment import set_prefect_defaults

    set_prefect_defaults()
    refresh_global_settings_context()
    if first:
        first()
    try:
        main(words)
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()  # multiprocessing leaves without them
