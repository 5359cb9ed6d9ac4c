"""What the C library's allocator keeps of a process's memory.

glibc gives threads arenas of their own, up to eight for each core, and a thread that ends leaves its arena as large as
it ever was. A pass starts threads for each shard, so that without a limit memory grows over the first dozens of shards.
"""

import ctypes
import os
from functools import cache
from typing import Any

import pyarrow as pa

M_ARENA_MAX = -8
"""The number of the limit in glibc's malloc.h."""

CORES_PER_ARENA = 4
LEAST_ARENAS = 2


@cache
def limit_arenas() -> bool:
    """Limit the arenas of this process from now on, unless its environment does; return whether that was possible."""
    if "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    set_option = getattr(c_library(), "mallopt", None)
    return bool(set_option and set_option(M_ARENA_MAX, max(LEAST_ARENAS, (os.cpu_count() or 1) // CORES_PER_ARENA)))


def return_free_memory() -> None:
    """Return memory that is free to the system, which this allocator and Arrow's would keep."""
    pa.default_memory_pool().release_unused()
    trim = getattr(c_library(), "malloc_trim", None)
    if trim:
        trim(0)


@cache
def c_library() -> Any:
    """Return the C library of this process; None where it cannot be opened by its symbols, as on Windows."""
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
