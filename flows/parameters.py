"""A pydantic model's fields as the parameters of a flow, so that both are declared once."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tasks.config import LeftOut

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")


def taking(model: type[M]) -> Callable[[Callable[[M], R]], Callable[..., R]]:
    """A function of the model's fields, as keywords, in place of one of the model.

    Prefect reads signatures and docstrings: this one's have the description, the limits and the default of every field,
    so that forms show them and a trigger with a wrong value is refused.
    """

    def decorate(function: Callable[[M], R]) -> Callable[..., R]:
        @functools.wraps(function)
        def flat(**values: object) -> R:
            return function(model(**values))

        fields = model.model_fields
        flat.__signature__ = inspect.Signature(list(map(parameter, fields, fields.values())))  # type: ignore[attr-defined]
        described = [f"    {name}: {field.description or ''}" for name, field in fields.items()]
        flat.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *described])
        flat.__annotations__ = {name: field.annotation for name, field in fields.items()}
        del flat.__wrapped__
        return flat

    return decorate


def parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """A field as a keyword. The default of one that is a model itself says only what is not left out."""
    default, annotation = field.default, Annotated[field.annotation, field]
    if field.is_required():
        default = inspect.Parameter.empty
    elif isinstance(default, BaseModel):
        default = default.model_dump(mode="json", exclude_none=True)
    elif default is None:
        annotation = Annotated[annotation, LeftOut()]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
