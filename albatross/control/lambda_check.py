"""Health checks of functions: an invocation with the event of a check, judged as a response.

Source: ALB user guide, "Lambda functions as targets" (health checks).
"""

from collections.abc import Callable

import orjson

from albatross.health import outcome
from albatross.health.outcome import Fault, Outcome
from albatross.health.probe import Probe
from albatross.host import response
from albatross.host.client import Call, HostClient
from albatross.host.event import health_check_event
from albatross.model.remote import NO_REMOTES, RemoteFunctions
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import Target, TargetGroup


def probe(
    host: HostClient, snapshot: Callable[[], Snapshot], remotes: RemoteFunctions = NO_REMOTES
) -> Probe:
    """Return what checks functions of `snapshot()`, or `remotes`: `host` invokes them."""

    async def check(group: TargetGroup, target: Target) -> Outcome:
        if not _may_invoke(snapshot(), target.id.removesuffix(":$LATEST"), group, remotes):
            return Outcome(fault=Fault.BAD_ANSWER)
        settings, multi_value = group.health_check, group.multi_value_headers
        event = health_check_event(settings.path, group.arn, multi_value=multi_value)
        try:
            invoked = await host.invoke(Call(function_arn=target.id, payload=orjson.dumps(event)))
        except OSError:
            return Outcome(fault=Fault.INTERNAL)
        if invoked.api_error or invoked.function_error:
            return Outcome(fault=Fault.BAD_ANSWER)
        answer = response.from_result(invoked.payload, multi_value=multi_value)
        if answer.error_reason:
            return Outcome(fault=Fault.BAD_ANSWER)
        return outcome.of_http(answer.status, settings.http_codes)

    return check


def _may_invoke(snapshot: Snapshot, arn: str, group: TargetGroup, remotes: RemoteFunctions) -> bool:
    """Tell whether the target is there and its own policy lets the load balancer invoke it.

    The policy of a function elsewhere is checked there.
    """
    for found, invocable in snapshot.invocables():
        if found == arn:
            return invocable.may_be_invoked_from(group.arn)
    return remotes.find(arn) is not None
