"""Dask's schedulers and workers of a test, which are restarted like services of a machine."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


class DaskProcess:
    """A Dask scheduler or worker in a process group of its own, restarted whenever it has ended.

    `before` are words before its command; `environment` is added to that of this process.
    """

    def __init__(self, *words: str, before: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> None:
        self.command = [*before, sys.executable, "-m", "dask", *words]
        self.environment = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"} | (environment or {})
        self.over = threading.Event()
        self.process = self.start()
        self.thread = threading.Thread(target=self.keep)
        self.thread.start()

    def start(self) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(self.command, env=os.environ | self.environment, process_group=0, **quiet)

    def keep(self) -> None:
        while not self.over.wait(0.1):
            if self.process.poll() is not None:
                self.process = self.start()

    def kill(self) -> bool:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
            return True
        return False

    def end(self) -> None:
        self.over.set()
        self.thread.join()
        self.kill()
        self.process.wait()
