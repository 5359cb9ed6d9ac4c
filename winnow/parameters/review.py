"""The parameters of `winnow review`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from winnow.parameters.redaction import refuse_credentials

Reviewer = Annotated[str, AfterValidator(refuse_credentials), Field(min_length=1, max_length=100)]
"""The name of a person who reviews."""

Port = Annotated[int, Field(ge=0, le=65_535)]
"""A TCP port; 0 is any free one."""
