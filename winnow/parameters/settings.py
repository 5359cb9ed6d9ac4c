"""What all parameters have in common."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

Fraction = Annotated[float, Field(ge=0)]


Share = Annotated[float, Field(ge=0, le=1)]


Folder = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]


Seconds = Annotated[float, Field(gt=0)]


AS_RECORDED = {"recorded": True}
"""The context in which parameters that a run was begun with are read again: they are not asked to fit each other."""


class Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def complaints(self) -> Iterator[str]:
        """Which parameters do not fit each other, and why."""
        return iter(())

    @model_validator(mode="after")
    def fitting(self, info: ValidationInfo) -> Self:
        if info.context != AS_RECORDED and (complaint := next(self.complaints(), None)):
            raise ValueError(complaint)
        return self


def default_of(given: BaseModel, name: str) -> object:
    return type(given).model_fields[name].default
