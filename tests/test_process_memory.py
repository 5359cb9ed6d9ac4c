"""What the C library's allocator keeps of a process's memory."""

import os
import subprocess
import sys

import pytest

ARENAS = """
import ctypes, sys, threading
from winnow.process_memory import c_library, limit_arenas
limited = limit_arenas()
together = threading.Barrier(12)
def work():
    kept = [bytearray(40_000) for _ in range(20)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = c_library()
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
sys.stderr.write(str(limited))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux's C library")
@pytest.mark.parametrize("given", [{}, {"MALLOC_ARENA_MAX": "5"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=5"}])
def test_threads_share_few_arenas_unless_the_environment_says_how_many(given):
    environment = {name: value for name, value in os.environ.items() if "MALLOC" not in name} | given
    command = [sys.executable, "-P", "-c", ARENAS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    if "<heap" not in run.stdout:
        pytest.skip("not glibc")
    most = 5 if given else max(2, (os.cpu_count() or 1) // 4)
    assert (run.stderr, run.stdout.count("<heap ") <= most) == (str(not given), True)
    assert run.stdout.count("<heap ") > 2 if given else True
