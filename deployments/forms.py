"""The form of a deployment's parameters in Prefect's UI.

Prefect makes it of the flow's signature: its fields bear the parameters' names, and one that may be left out is shown
as a choice between two kinds, of which one is null. Here they bear their titles, and what may be left out is a plain
field. The server takes null for it all the same.
"""

from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas.actions import DeploymentUpdate
from pydantic import BaseModel


def form(flow: Flow[..., Any]) -> dict[str, Any]:
    """The JSON schema of the flow's parameters, as a form shows them; others are refused."""
    shown = flow.parameters.model_copy(deep=True)
    for name, field in flow.fn.takes.model_fields.items():  # type: ignore[attr-defined]
        shown.properties[name]["title"] = field.title
        if isinstance(field.default, BaseModel):
            shown.properties[name]["default"] = field.default.model_dump(mode="json", exclude_none=True)
    models = [definition.get("properties", {}) for definition in (shown.definitions or {}).values()]
    for properties in [shown.properties, *models]:
        properties |= {name: without_null(field) for name, field in properties.items()}
    return shown.model_dump_for_openapi() | {"additionalProperties": False}


def without_null(field: dict[str, Any]) -> dict[str, Any]:
    """The field as one that may stay empty, if null is its default and it takes one other kind."""
    kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1 or field.get("default") is not None:
        return field
    kept = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    return {**kept, **kinds[0]}


def set_form(flow: Flow[..., Any], deployment: str) -> None:
    """Give a deployment (flow/name) on the server the form of its flow."""
    with get_client(sync_client=True) as client:
        there = client.read_deployment_by_name(deployment)
        client.update_deployment(there.id, DeploymentUpdate(parameter_openapi_schema=form(flow)))
