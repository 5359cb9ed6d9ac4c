import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from winnow.engines.nemo import deferred_imports as module
from winnow.engines.nemo.deferred_imports import deferred_imports

LIBRARY = """
class Shape:
    sides = 4
def times(factor):
    return lambda function: lambda: factor * function()
"""
USER = """
from typing import Optional
import heavy.shapes
import heavy as alias
from heavy.shapes import Shape

def annotated(shape: Optional[Shape], other: "Shape | None" = None, third: Shape | None = None): ...

@heavy.shapes.times(3)
def decorated():
    return 14
"""


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import a module that imports a heavy package, whose import is deferred."""
    monkeypatch.setattr(module, "PACKAGES", frozenset({"heavy"}))
    monkeypatch.setattr(module, "IMPORTERS", frozenset({"nemo_user"}))
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "__init__.py").touch()
    (tmp_path / "heavy" / "shapes.py").write_text(LIBRARY)
    (tmp_path / "nemo_user.py").write_text(USER)
    (tmp_path / "other_user.py").write_text("from heavy.shapes import Shape\n")
    monkeypatch.syspath_prepend(tmp_path)
    with deferred_imports():
        import nemo_user
    yield nemo_user
    for name in ("heavy", "heavy.shapes", "nemo_user", "other_user"):
        sys.modules.pop(name, None)


def test_a_deferred_module_is_imported_when_an_attribute_of_it_is_used(imported):
    assert "heavy" not in sys.modules
    assert imported.alias.shapes.Shape.sides == imported.Shape.sides == 4
    assert imported.heavy.shapes.Shape is sys.modules["heavy.shapes"].Shape


def test_a_deferred_class_can_be_called_derived_from_and_asked_for_its_instances(imported):
    class Square(imported.Shape):
        pass

    assert isinstance(imported.Shape(), imported.Shape)
    assert isinstance(Square(), imported.Shape)
    assert not isinstance(4, imported.Shape)


def test_a_deferred_decorator_decorates_when_the_function_is_called(imported):
    assert "heavy" not in sys.modules
    assert [imported.decorated(), imported.decorated()] == [42, 42]
    assert "heavy.shapes" in sys.modules


def test_other_modules_import_at_once_during_the_block(imported):
    with deferred_imports():
        import other_user
    assert other_user.Shape is sys.modules["heavy.shapes"].Shape


def test_what_is_imported_already_is_not_deferred(imported):
    assert imported.Shape.sides == 4
    del sys.modules["nemo_user"]
    with deferred_imports():
        import nemo_user
    assert nemo_user.Shape is sys.modules["heavy.shapes"].Shape
