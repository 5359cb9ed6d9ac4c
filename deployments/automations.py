"""What the server does by itself: runs without a sign of life are crashed, and failed ones are told of."""

from datetime import timedelta

from prefect import get_client
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture, ResourceSpecification
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from pydantic import SecretStr

HEARTBEAT = "prefect.flow-run.heartbeat"
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
SILENCE = timedelta(seconds=90)  # three heartbeats of prefect.yaml's deployments
BLOCK = "winnow"

NOTIFICATION = """{"text": {{
    (flow.name ~ ": " ~ flow_run.name ~ " is " ~ flow_run.state.name ~ ". " ~ flow_run.state.message)|tojson
}}, "url": {{ flow_run|ui_url|tojson }}}"""
"""Slack and Mattermost show the text. Too much in quarantine fails a run, so that its reasons are in here."""


def crash_zombies() -> AutomationCore:
    """Runs whose process was killed, or whose machine was lost, do not stay Running."""
    return AutomationCore(
        name="crash zombies",
        description="A flow run that has given no sign of life for a minute and a half is crashed",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *ENDED},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no sign of life from its process")],
    )


def notify_failures(address: str, flows: list[str]) -> AutomationCore:
    """A run that failed (its quarantine was too large, say) or crashed is told of at an address, by POST."""
    block = Webhook(url=SecretStr(address)).save(BLOCK, overwrite=True)
    return AutomationCore(
        name="tell of failures",
        description="A flow run that failed or crashed is told of by a webhook",
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
    """Create the automations in the place of older ones of their names; their names."""
    wanted = [crash_zombies(), *([notify_failures(notify, flows)] if notify else [])]
    with get_client(sync_client=True) as client:
        for automation in wanted:
            for old in client.read_automations_by_name(automation.name):
                client.delete_automation(old.id)
            client.create_automation(automation)
    return [automation.name for automation in wanted]
