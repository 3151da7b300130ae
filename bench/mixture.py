"""The load of the soak test: good requests, every kind of bad one, and changes all the while.

Rates are capped so that the server, not this program, has the machine.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count

import deployment
from client import Answer, Client, read_answer

NO_ANSWER = (OSError, EOFError, ValueError, TimeoutError)
GOOD = """
VERSION = {version}

def handler(event, context):
    id_ = event["queryStringParameters"]["id"]
    return {{"statusCode": 200, "body": f"{{VERSION}} {{id_}} {{len(event['body'])}}"}}
"""
BAD = """
import os, sys, time

def handler(event, context):
    print("noise " * 50)
    match event["queryStringParameters"]["what"]:
        case "exception":
            raise ValueError("as asked for")
        case "exit":
            sys.exit(3)
        case "hard-exit":
            os._exit(4)
        case "hang":
            time.sleep(60)
        case "large":
            return {"statusCode": 200, "body": "x" * 2**20}
"""
BAD_TIMEOUT_S = 1
BODY_BYTES_MAX = 2**20
BROKEN = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET /good HTTP/1.1\r\n\r\n",
    b"GET /good HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    b"GET /good HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n",
    b"POST /good HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST /good HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /good HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    bytes(range(256)) + b"\r\n\r\n",
)
CUT_OFF = b"POST /good?id=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nnot all of it"


class Mixture:
    """Runs the load and keeps the score."""

    def __init__(self, made: deployment.Deployment, *, variables: dict[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self.latencies_s: list[float] = []  # of good requests since the last look
        self.faults: list[str] = []
        self.newest = self.acknowledged = 0  # version of the good function
        self._made = made
        self._ids = count()
        more = {"Environment": {"Variables": variables}}
        good = made.function("good", GOOD.format(version=0), **more)
        bad = made.function("bad", BAD, timeout_s=BAD_TIMEOUT_S, **more)
        made.rule(1, "/good", deployment.forward(good))
        made.rule(2, "/bad", deployment.forward(bad))

    async def run(
        self, duration_s: float, more: Sequence[tuple[float, Callable[[], Awaitable[None]]]] = ()
    ) -> None:
        """Load the server for `duration_s`, and do `more`. What is in flight then is waited for."""
        port, until_s = self._made.port, time.monotonic() + duration_s
        steady = [Client(port) for _ in range(4)]
        for_bad = Client(port)

        def fresh() -> Client:
            return Client(port, keep_alive=False)

        parts: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            *((20, partial(self._good, client)) for client in steady),
            (10, lambda: self._good(fresh())),
            (2, lambda: self._good(fresh(), body=b"b" * 100_000)),
            (4, lambda: self._bad(for_bad, "exception")),
            (0.7, lambda: self._bad(fresh(), "exit")),
            (0.7, lambda: self._bad(fresh(), "hard-exit")),
            (0.5, lambda: self._bad(fresh(), "hang")),
            (1, lambda: self._bad(fresh(), "large")),
            (1, self._oversized),
            (5, self._broken),
            (2, self._change_rules),
            (0.2, self._update_code),
            *more,
        ]
        async with asyncio.TaskGroup() as group:
            for rate, action in parts:
                group.create_task(_repeat(rate, until_s, action))
        for client in (*steady, for_bad):
            await client.close()

    async def _good(self, client: Client, body: bytes = b"") -> None:
        id_, oldest, begun_s = f"r{next(self._ids)}", self.acknowledged, time.monotonic()
        method = "POST" if body else "GET"
        try:
            answer = await client.request(method, f"/good?id={id_}", body)
        except NO_ANSWER as error:
            self._fault("good request lost", f"{id_}: {error!r}")
            return
        self.latencies_s.append(time.monotonic() - begun_s)
        self.counts["good"] += 1
        allowed = [f"{v} {id_} {len(body)}".encode() for v in range(oldest, self.newest + 1)]
        if answer.status != 200 or answer.body not in allowed:
            expected = f"version {oldest} to {self.newest}"
            self._fault("good request wrong", f"{id_}: {_short(answer)}, expected {expected}")

    async def _bad(self, client: Client, what: str) -> None:
        await self.expect(what, (502,), client.request("GET", f"/bad?what={what}"))

    async def _oversized(self) -> None:
        client = Client(self._made.port, keep_alive=False)
        body = b"x" * (BODY_BYTES_MAX + 1)
        await self.expect("oversized", (413,), client.request("POST", "/good?id=0", body))

    async def expect(
        self, what: str, statuses: tuple[int, ...], request: Awaitable[Answer]
    ) -> None:
        """Await the answer, which has to be there and to have one of `statuses`."""
        self.counts[what] += 1
        try:
            answer = await request
        except NO_ANSWER as error:
            self._fault(f"{what}: no answer", repr(error))
            return
        if answer.status not in statuses:
            self._fault(f"{what}: wrong answer", f"{_short(answer)}, expected {statuses}")

    async def _broken(self) -> None:
        """Send what is not HTTP. An answer must be an error of the client's; or the end."""
        self.counts["broken"] += 1
        data = (*BROKEN, CUT_OFF)[self.counts["broken"] % (len(BROKEN) + 1)]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._made.port)
        writer.write(data)
        if data is not CUT_OFF:
            try:
                async with asyncio.timeout(5):
                    answer = await read_answer(reader)
                if not 400 <= answer.status < 500:
                    self._fault("broken: wrong answer", f"{data[:40]!r}: {_short(answer)}")
            except TimeoutError:
                self._fault("broken: no answer", f"{data[:40]!r}")
            except (OSError, EOFError):
                pass  # closed without a word
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _change_rules(self) -> None:
        """Create a rule, change it, delete it: each must hold as soon as the API has answered."""
        number = self.counts["rules"]
        self.counts["rules"] += 1
        wanted, elbv2 = f"rule {number}", self._made.elbv2
        action = [deployment.fixed_response(wanted)]
        match number % 3:
            case 0:
                self._rule_arn = await asyncio.to_thread(
                    self._made.rule, 10, "/changing", action[0]
                )
            case 1:
                await asyncio.to_thread(elbv2.modify_rule, RuleArn=self._rule_arn, Actions=action)
            case 2:
                await asyncio.to_thread(elbv2.delete_rule, RuleArn=self._rule_arn)
                wanted = "no rule"
        answer = await Client(self._made.port, keep_alive=False).request("GET", "/changing")
        if answer.body != wanted.encode():
            self._fault("rule not in effect", f"{_short(answer)}, expected {wanted!r}")

    async def _update_code(self) -> None:
        self.counts["updates"] += 1
        self.newest += 1
        package = deployment.package(GOOD.format(version=self.newest))
        await asyncio.to_thread(
            self._made.lambda_.update_function_code, FunctionName="good", ZipFile=package
        )
        self.acknowledged = self.newest

    def _fault(self, kind: str, detail: str) -> None:
        self.counts["faults"] += 1
        self.faults.append(f"{time.strftime('%H:%M:%S')} {kind}: {detail}")


async def _repeat(rate: float, until_s: float, action: Callable[[], Awaitable[None]]) -> None:
    """Call `action` at most `rate` times a second, one call at a time."""
    while (begun_s := time.monotonic()) < until_s:
        await action()
        await asyncio.sleep(max(0.0, begun_s + 1 / rate - time.monotonic()))


def _short(answer: Answer) -> str:
    why = " ".join(
        value for name, value in answer.headers.items() if name.startswith("x-albatross-error")
    )
    return f"{answer.status} {why or repr(answer.body[:60])}"
