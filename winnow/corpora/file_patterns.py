"""Patterns that name several files: wildcards, and ranges in braces, also as NeMo's configurations write them."""

import glob
import re
from itertools import islice
from pathlib import Path

from winnow.errors import ManifestError

MOST_FILES = 1_000_000
RANGES = re.compile(r"_OP_(.+?)_CL_|[(\[<](\d+\.\.\d+)[)\]>]")
"""Ranges that NeMo reads as if they were in braces, which some shells and Hydra do not leave alone."""

BRACES = re.compile(r"\{[^{}]*(?:\.\.|,)[^{}]*\}")


def is_pattern(location: str) -> bool:
    """Tell whether a path is a pattern for several files, and not the name of one."""
    return (glob.has_magic(location) or has_range(location)) and not Path(location).exists()


def in_braces(location: str) -> str:
    """Return the pattern with NeMo's ranges in braces: `manifest__OP_0..7_CL_.json`, `manifest_[0..7].json`."""
    return RANGES.sub(lambda found: "{" + (found[1] or found[2]) + "}", location)


def expand_files(location: str) -> list[Path]:
    """Return the files that a path or pattern names: ranges in their order, what wildcards match by its name.

    Raises ManifestError if there are none, or if one of a range is missing.
    """
    if not is_pattern(location):
        return [Path(location)]
    names = expand_braces(location)
    if not glob.has_magic(in_braces(location)):
        files = [Path(name) for name in names]
        if missing := next((file for file in files if not file.exists()), None):
            raise ManifestError(f"{location}: no file {missing}")
        return files
    files = [Path(file) for name in names for file in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 (absolute)
    if not files:
        raise ManifestError(f"{location}: no file matches this pattern")
    return files


def has_range(location: str) -> bool:
    """Tell whether a path or URL has a range or a choice in braces, or written as NeMo does."""
    return BRACES.search(in_braces(location)) is not None


def expand_braces(location: str) -> list[str]:
    """Return the paths, URLs or wildcards that ranges and choices stand for, in their order. Raises ManifestError."""
    import braceexpand

    try:
        names = list(islice(braceexpand.braceexpand(in_braces(location), escape=False), MOST_FILES + 1))
    except ValueError as error:
        raise ManifestError(f"{location}: not a pattern: {error}") from error
    if len(names) > MOST_FILES:
        raise ManifestError(f"{location}: more than {MOST_FILES:,} files")
    return names
