"""The fields of a pydantic model as the parameters of a flow, so that each is declared once."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BaseModel

from flows.server.monitor import register_flow_run

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")


def with_parameters(model: type[M]) -> Callable[[Callable[[M], R]], Callable[..., R]]:
    """Turn a function of a model into one of the model's fields, as keywords.

    Prefect reads signatures and docstrings. Those of the new function have the description, the limits and the default
    of every field, so that forms show them and a trigger with a wrong value is refused.
    """

    def decorate(function: Callable[[M], R]) -> Callable[..., R]:
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[field.annotation, field],
                default=inspect.Parameter.empty if field.is_required() else field.default,
            )
            for name, field in model.model_fields.items()
        ]

        @functools.wraps(function)
        def flat(**values: object) -> R:
            with register_flow_run():
                return function(model(**values))

        flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        described = [f"    {name}: {field.description or ''}" for name, field in model.model_fields.items()]
        flat.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *described])
        flat.__annotations__ = {p.name: p.annotation for p in parameters}
        flat.takes = model  # type: ignore[attr-defined]
        del flat.__wrapped__
        return flat

    return decorate
