"""The form of a deployment's parameters in Prefect's UI.

Prefect makes forms from the signature of a flow: fields are labelled with the names of parameters, and an optional one
is shown as a choice between its type and null. The forms here have the parameters' titles, and a plain field for an
optional one. The server still accepts null for it.
"""

from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas.actions import DeploymentUpdate
from pydantic import BaseModel


def form(flow: Flow[..., Any]) -> dict[str, Any]:
    """Return the JSON schema of the flow's parameters for its form; other parameters are refused."""
    parameters = flow.parameters.model_copy(deep=True)
    for name, field in flow.fn.takes.model_fields.items():  # type: ignore[attr-defined]
        parameters.properties[name]["title"] = field.title
        if isinstance(field.default, BaseModel):
            parameters.properties[name]["default"] = field.default.model_dump(mode="json", exclude_none=True)
    models = [definition.get("properties", {}) for definition in (parameters.definitions or {}).values()]
    for properties in [parameters.properties, *models]:
        properties |= {name: without_null(field) for name, field in properties.items()}
    return parameters.model_dump_for_openapi() | {"additionalProperties": False}


def without_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return the field without its type null, if that is its default and it has one other type."""
    types = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
    if len(types) != 1 or field.get("default") is not None:
        return field
    others = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    return {**others, **types[0]}


def set_form(flow: Flow[..., Any], deployment: str) -> None:
    """Set the form of a deployment on the server, given by its name (flow/name)."""
    with get_client(sync_client=True) as client:
        existing = client.read_deployment_by_name(deployment)
        client.update_deployment(existing.id, DeploymentUpdate(parameter_openapi_schema=form(flow)))
