"""What must not hurt the good requests of the soak test: functions that eat memory, flood their log
or are killed, an alias whose weights move, bursts of requests, and events that outlive the host.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import deployment
import server
from client import Answer, Client
from mixture import Mixture

Parts = list[tuple[float, Callable[[], Awaitable[None]]]]  # times a second, and what

BURST = 200  # requests at once
EVENTS = 50
EVENTS_S = 60.0  # until the last event has been worked on
_FLOOD_BYTES = 4 * 1024 * 1024
_SOURCE = """
import os, socket, sys, time

def handler(event, context):
    what = event.get("what") or event["queryStringParameters"]["what"]
    if what == "hog":
        eaten = [bytearray(b"x" * 2**20) for _ in range(512)]
        time.sleep(2)
    elif what == "flood":
        sys.stdout.write(("flood " * 20 + "\\n") * (FLOOD_BYTES // 121))
    elif what == "slow":
        time.sleep(0.05)
    elif what == "event":
        time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", event["port"]), timeout=5) as connection:
            connection.sendall(b"%d" % event["id"])
    return {"statusCode": 200, "body": str(os.getpid()) if what == "victim" else what}
""".replace("FLOOD_BYTES", str(_FLOOD_BYTES))
_VERSION = """
def handler(event, context):
    return {{"statusCode": 200, "body": "version {version}"}}
"""


class Disturbances:
    """Runs beside a mixture, in whose score its answers count."""

    def __init__(
        self, made: deployment.Deployment, mixture: Mixture, variables: dict[str, str]
    ) -> None:
        self._made = made
        self._mixture = mixture
        self._shifts = 0
        self._victims: set[int] = set()
        more = {"Environment": {"Variables": variables}}
        for name in ("hog", "flood", "slow", "victim"):
            group = made.function(name, _SOURCE, timeout_s=15, MemorySize=128, **more)
            made.rule(100 + len(name), f"/{name}", deployment.forward(group))
        made.lambda_.create_function(**_event_function(more))
        self._alias(more)

    def parts(self, running: server.Server) -> Parts:
        port = self._made.port

        def expect(what: str, *statuses: int) -> Callable[[], Awaitable[None]]:
            async def action() -> None:
                request = Client(port, keep_alive=False).request("GET", f"/{what}?what={what}")
                await self._mixture.expect(what, statuses, request)

            return action

        return [
            (0.3, expect("hog", 502)),
            (0.3, expect("flood", 200)),
            (20, self._victim),
            (0.5, lambda: self._kill(running)),
            (0.1, self._burst),
            (1, self._shift),
            (20, self._shifting),
        ]

    async def _kill(self, running: server.Server) -> None:
        """Kill environments, whatever they do: nobody else must notice."""
        victims, self._victims = self._victims, set()
        for pid in victims.intersection(running.environments()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _victim(self) -> None:
        async def request() -> Answer:
            client = Client(self._made.port, keep_alive=False)
            answer = await client.request("GET", "/victim?what=victim")
            if answer.status == 200:
                self._victims.add(int(answer.body))
            return answer

        await self._mixture.expect("victim", (200, 502), request())

    async def _burst(self) -> None:
        """Send many requests at once: more than there are environments, so most have to wait."""

        async def one() -> None:
            request = Client(self._made.port, keep_alive=False).request("GET", "/slow?what=slow")
            await self._mixture.expect("burst", (200,), request)

        await asyncio.gather(*(one() for _ in range(BURST)))

    async def _shift(self) -> None:
        """Move the alias: all to one version, half and half, all to the other."""
        self._shifts += 1
        version, other = ("1", "2") if self._shifts % 4 < 2 else ("2", "1")
        weights = {other: 0.5} if self._shifts % 2 else {}
        await asyncio.to_thread(
            self._made.lambda_.update_alias,
            FunctionName="shifting",
            Name="live",
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": weights},
        )

    async def _shifting(self) -> None:
        request = Client(self._made.port, keep_alive=False).request("GET", "/shifting")
        await self._mixture.expect("shifting", (200,), request)

    def _alias(self, more: dict[str, Any]) -> None:
        lambda_, elbv2 = self._made.lambda_, self._made.elbv2
        self._made.function("shifting", _VERSION.format(version=1), Publish=True, **more)
        package = deployment.package(_VERSION.format(version=2))
        lambda_.update_function_code(FunctionName="shifting", ZipFile=package, Publish=True)
        alias = lambda_.create_alias(FunctionName="shifting", Name="live", FunctionVersion="1")
        created = elbv2.create_target_group(Name="live", TargetType="lambda")
        group_arn = created["TargetGroups"][0]["TargetGroupArn"]
        lambda_.add_permission(
            FunctionName="shifting",
            Qualifier="live",
            StatementId="elb",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
            SourceArn=group_arn,
        )
        elbv2.register_targets(TargetGroupArn=group_arn, Targets=[{"Id": alias["AliasArn"]}])
        self._made.rule(110, "/shifting", deployment.forward(group_arn))


async def events_outlive_the_host(made: deployment.Deployment, running: server.Server) -> list[str]:
    """Invoke asynchronously, kill the Lambda host, and return which events were never worked on."""
    done: set[int] = set()
    complete = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            done.add(int(await reader.read()))
        writer.close()
        if len(done) == EVENTS:
            complete.set()

    listener = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    for number in range(EVENTS):
        payload = json.dumps({"what": "event", "id": number, "port": port}).encode()
        await asyncio.to_thread(
            made.lambda_.invoke, FunctionName="events", InvocationType="Event", Payload=payload
        )
    os.kill(running.pids()["host"], signal.SIGKILL)
    with suppress(TimeoutError):
        await asyncio.wait_for(complete.wait(), EVENTS_S)
    listener.close()
    await listener.wait_closed()
    lost = sorted(set(range(EVENTS)) - done)
    return [f"events lost after the host was killed: {lost}"] if lost else []


def _event_function(more: dict[str, Any]) -> dict[str, Any]:
    return {
        "FunctionName": "events",
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": deployment.ROLE,
        "Timeout": 5,
        "Code": {"ZipFile": deployment.package(_SOURCE)},
        **more,
    }
