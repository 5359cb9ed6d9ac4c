"""Prefect automations: mark runs that stopped sending heartbeats as crashed, and report failed runs to a webhook."""

from datetime import timedelta

from prefect import get_client
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture, ResourceSpecification
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from pydantic import SecretStr

HEARTBEAT = "prefect.flow-run.heartbeat"
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
HEARTBEAT_TIMEOUT = timedelta(seconds=90)  # three heartbeats of prefect.yaml's deployments
WEBHOOK_BLOCK = "winnow"

NOTIFICATION = """{"text": {{
    (flow.name ~ ": " ~ flow_run.name ~ " is " ~ flow_run.state.name ~ ". " ~ flow_run.state.message)|tojson
}}, "url": {{ flow_run|ui_url|tojson }}}"""
"""The body of the POST, of which Slack and Mattermost show `text`."""


def crash_zombies() -> AutomationCore:
    """Mark runs as crashed whose process was killed or whose machine was lost."""
    return AutomationCore(
        name="crash zombies",
        description="Mark a flow run as crashed if it has sent no heartbeat for 90 seconds",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *ENDED},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=HEARTBEAT_TIMEOUT,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="its process sends no heartbeats")],
    )


def notify_failures(url: str, flows: list[str]) -> AutomationCore:
    """POST to the URL when a run of these flows fails or crashes."""
    block = Webhook(url=SecretStr(url)).save(WEBHOOK_BLOCK, overwrite=True)
    return AutomationCore(
        name="notify of failures",
        description="Call a webhook when a flow run fails or crashes",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification({"prefect.resource.role": ["flow"], "prefect.resource.name": flows}),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block, payload=NOTIFICATION)],
    )


def create_automations(notify: str | None, flows: list[str]) -> list[str]:
    """Create the automations, replacing those with the same names; return the names."""
    automations = [crash_zombies(), *([notify_failures(notify, flows)] if notify else [])]
    with get_client(sync_client=True) as client:
        for automation in automations:
            for existing in client.read_automations_by_name(automation.name):
                client.delete_automation(existing.id)
            client.create_automation(automation)
    return [automation.name for automation in automations]
