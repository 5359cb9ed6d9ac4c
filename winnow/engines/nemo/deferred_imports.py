"""Imports of NeMo that no recogniser needs, put off until one is used: NeMo itself then loads in half the time."""

import builtins
import functools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any, Union

PACKAGES = frozenset(
    {
        "datasets",
        "graphviz",
        "matplotlib",
        "onnx",
        "onnxruntime",
        "pandas",
        "pytorch_lightning",
        "scipy",
        "sklearn",
        "transformers",
    }
)
"""What is for training, for metrics of other fields, for plots and for exports to other formats."""

IMPORTERS = frozenset({"nemo", "lightning", "torchmetrics"})
"""Whose imports are deferred: in other modules, of other threads too, every import is made at once."""

_lock = threading.RLock()
_open_blocks = 0


@contextmanager
def deferred_imports() -> Iterator[None]:
    """Let modules of IMPORTERS that are imported in the block find stand-ins for what they import from PACKAGES.

    A stand-in imports what it stands for when it is called, or an attribute of it is used, after the block.
    """
    global _open_blocks
    with _lock:
        import_now: Callable[..., Any] = builtins.__import__
        builtins.__import__ = functools.partial(import_later, import_now)
        _open_blocks += 1
        try:
            yield
        finally:
            _open_blocks -= 1
            builtins.__import__ = import_now


def import_later(
    import_now: Callable[..., Any],
    name: str,
    globals: dict[str, Any] | None = None,  # noqa: A002
    locals: object = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """Stand in for `__import__`: return a stand-in if this import is to be deferred, otherwise import now."""
    package = name.partition(".")[0]
    if level == 0 and package in PACKAGES and not is_imported(name, fromlist or ()):
        importer = (globals or {}).get("__name__") or ""
        if importer.partition(".")[0] in IMPORTERS:
            return Deferred(name if fromlist else package)
    return import_now(name, globals, locals, fromlist, level)


def is_imported(name: str, parts: Sequence[str]) -> bool:
    module = sys.modules.get(name)
    return module is not None and all(part in vars(module) for part in parts)


class Deferred:
    """A stand-in for a module, class or function that is imported when it is used."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _resolve(self) -> Any:
        return resolve_name(self._path)

    def __getattr__(self, name: str) -> Any:
        if not _open_blocks:
            return resolve_name(f"{self._path}.{name}")
        if name.startswith("__"):  # which `typing` looks for in a class that an annotation names
            raise AttributeError(name)
        return Deferred(f"{self._path}.{name}")

    def __call__(self, *values: Any, **options: Any) -> Any:
        """Call what this stands for; during an import that is the making of a decorator."""
        if _open_blocks:
            return functools.partial(when_called, lambda: self._resolve()(*values, **options))
        return self._resolve()(*values, **options)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._resolve())

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        """Give a class that is derived from this the class itself."""
        return (self._resolve(),)

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007  (of two values, in an annotation)

    __ror__ = __or__


def when_called(
    find: Callable[[], Callable[..., Any]], function: Callable[..., Any] | None = None, **options: Any
) -> Callable[..., Any]:
    """Decorate a function with what `find` returns, but only when the function is first called."""
    if function is None:  # a decorator with options
        return functools.partial(when_called, find, **options)

    @functools.cache
    def decorated() -> Callable[..., Any]:
        return find()(function, **options)  # type: ignore[no-any-return]

    return functools.wraps(function)(lambda *args, **kwargs: decorated()(*args, **kwargs))
