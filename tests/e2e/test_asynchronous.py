"""Asynchronous invocations through the real server: boto3, the aws command, crashes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from albatross.asynchronous.event import Event, Letter
from albatross.asynchronous.letters import PAGE_LETTERS_MAX
from albatross.asynchronous.queue import EventQueue
from tests.support.aws_command import aws
from tests.support.command import (
    Place,
    Server,
    free_port,
    is_alive,
    make_function,
    place,
    serving,
    until,
)

ACCOUNT = "123456789012"
# Tells by datagrams what it was invoked with, then does as it is told.
SOURCE = """
import json, os, socket, time

notes = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def handler(event, context):
    client = context.client_context
    note = {
        "function": context.function_name,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "id": context.aws_request_id,
        "event": event,
        "custom": client.custom if client else None,
    }
    notes.sendto(json.dumps(note).encode(), ("127.0.0.1", int(os.environ["NOTES"])))
    if isinstance(event, dict):
        time.sleep(event.get("sleep", 0))
        if event.get("fail"):
            raise ValueError("on purpose")
    return {"ok": True}
"""


class Notes:
    """What functions have told."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver
        self.all: list[dict[str, Any]] = []

    @property
    def variables(self) -> dict[str, dict[str, str]]:
        return {"Variables": {"NOTES": str(self._receiver.getsockname()[1])}}

    def of(self, name: str) -> list[dict[str, Any]]:
        with suppress(BlockingIOError):
            while True:
                self.all.append(json.loads(self._receiver.recv(65_536)))
        return [note for note in self.all if note["function"] == name]

    def until(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        return until(lambda: found if len(found := self.of(name)) >= count else None)


@contextmanager
def noting() -> Iterator[Notes]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        receiver.setblocking(False)
        receiver.bind(("127.0.0.1", 0))
        yield Notes(receiver)


@pytest.fixture(scope="module")
def notes() -> Iterator[Notes]:
    with noting() as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with place() as where:
        where.variables["ALBATROSS_ASYNC_RETRY_WAIT_S"] = "0.05"
        where.data.mkdir()
        asyncio.run(keep_letters(where.data, arn("paged"), PAGE_LETTERS_MAX + 1))
        with serving(where) as running:
            yield running


@pytest.fixture(scope="module")
def api(server: Server) -> Any:
    return server.client("lambda")


@pytest.fixture
def function(request: pytest.FixtureRequest, server: Server, notes: Notes) -> str:
    """The name of a function of this test's own."""
    name = f"f{abs(hash(request.node.nodeid))}"[:20]
    make_function(server, name, SOURCE, Environment=notes.variables)
    return name


def arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def dead_letters(server: Server, *arguments: str) -> list[dict[str, Any]]:
    done = server.place.ask("dead-letters", "--endpoint", server.url, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_event_is_answered_at_once_and_the_function_sees_the_request_id_of_the_answer(
    api, function, notes
):
    context = "eyJjdXN0b20iOiB7ImEiOiAiMSJ9fQ=="
    answer = api.invoke(
        FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}', ClientContext=context
    )
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    assert "ExecutedVersion" not in answer
    (note,) = notes.until(function)
    assert note["id"] == answer["ResponseMetadata"]["RequestId"]
    assert note["event"] == {"n": 1}
    assert note["custom"] == {"a": "1"}
    assert note["arn"] == arn(function)


def test_invoke_async_is_its_forerunner(api, function, notes):
    answer = api.invoke_async(FunctionName=function, InvokeArgs=b'{"n": 2}')
    assert answer["Status"] == 202
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert notes.until(function)[0]["event"] == {"n": 2}


def test_an_alias_leads_to_its_version(api, function, notes):
    api.publish_version(FunctionName=function)
    api.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    api.invoke(FunctionName=function, Qualifier="live", InvocationType="Event")
    (note,) = notes.until(function)
    assert (note["version"], note["arn"]) == ("1", f"{arn(function)}:live")
    assert note["event"] == {}


@pytest.mark.parametrize(
    "params, code, status, message",
    [
        pytest.param(
            {"InvocationType": "Event", "Payload": b'"' + b"x" * 1_048_575 + b'"'},
            "RequestTooLargeException",
            413,
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
            id="more than 1 MB for Event",
        ),
        pytest.param(
            {"Payload": b'"' + b"x" * 6_291_455 + b'"'},
            "RequestTooLargeException",
            413,
            "6291457 byte payload is too large for the RequestResponse invocation type "
            "(limit 6291456 bytes)",
            id="more than 6 MB",
        ),
        pytest.param(
            {"InvocationType": "Event", "Payload": b"{"},
            "InvalidRequestContentException",
            400,
            "Could not parse request body into json",
            id="no JSON",
        ),
        pytest.param(
            {"InvocationType": "Event", "FunctionName": "nobody"},
            "ResourceNotFoundException",
            404,
            f"Function not found: {arn('nobody')}:$LATEST",
            id="no function",
        ),
    ],
)
def test_what_cannot_be_an_event_is_refused(api, function, params, code, status, message):
    with pytest.raises(ClientError) as raised:
        api.invoke(**{"FunctionName": function, **params})
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert raised.value.response["Error"]["Message"].startswith(message)


def test_payloads_of_the_largest_size_are_taken(api, function, notes):
    largest = b'"' + b"x" * (1_048_576 - 2) + b'"'
    answer = api.invoke(FunctionName=function, InvocationType="DryRun", Payload=largest)
    assert answer["StatusCode"] == 204
    event = b'{"fail": 0, "x": "' + b"y" * (1_048_576 - 20) + b'"}'
    assert len(event) == 1_048_576
    sent = api.invoke(FunctionName=function, InvocationType="Event", Payload=event)
    assert sent["StatusCode"] == 202


def test_a_function_that_fails_is_tried_three_times_and_its_event_can_be_replayed(
    server, api, function, notes
):
    api.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"fail": true}')
    ids = [note["id"] for note in notes.until(function, 3)]
    assert len(set(ids)) == 1
    (letter,) = until(lambda: dead_letters(server, function))
    assert letter["id"] == ids[0]
    assert letter["record"]["requestContext"]["approximateInvokeCount"] == 3
    assert letter["record"]["responsePayload"]["errorType"] == "ValueError"
    listed = server.place.ask("dead-letters", "--endpoint", server.url, function).stdout
    assert listed.startswith(ids[0])
    assert "RetriesExhausted" in listed
    replayed = server.place.ask(
        "dead-letters", "--endpoint", server.url, function, "--replay", "all"
    )
    assert replayed.stdout == "replayed: 1\n"
    notes.until(function, 6)
    (letter,) = until(lambda: dead_letters(server, function))
    gone = server.place.ask("dead-letters", "--endpoint", server.url, "--delete", letter["id"])
    assert gone.stdout == "deleted: 1\n"
    assert dead_letters(server, function) == []
    unknown = server.place.ask("dead-letters", "--endpoint", server.url, "--delete", "x")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        f"Error: {server.url}: There is no dead letter x.\n",
    )


def test_destinations_and_retries_are_those_of_the_qualifier(server, api, function, notes):
    make_function(server, f"{function}-d", SOURCE, Environment=notes.variables)
    api.publish_version(FunctionName=function)
    for qualifier, retries in (("$LATEST", 0), ("1", 1)):
        api.put_function_event_invoke_config(
            FunctionName=function,
            Qualifier=qualifier,
            MaximumRetryAttempts=retries,
            DestinationConfig={
                "OnSuccess": {"Destination": arn(f"{function}-d")},
                "OnFailure": {"Destination": arn(f"{function}-d")},
            },
        )
    api.invoke(FunctionName=function, Qualifier="1", InvocationType="Event", Payload=b'{"fail": 1}')
    api.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"fine": 1}')
    records = [note["event"] for note in notes.until(f"{function}-d", 2)]
    by_condition = {record["requestContext"]["condition"]: record for record in records}
    failed, succeeded = by_condition["RetriesExhausted"], by_condition["Success"]
    assert failed["requestContext"]["functionArn"] == f"{arn(function)}:1"
    assert failed["requestContext"]["approximateInvokeCount"] == 2
    assert failed["requestPayload"] == {"fail": 1}
    assert failed["responseContext"]["functionError"] == "Unhandled"
    assert succeeded["responsePayload"] == {"ok": True}
    assert succeeded["requestContext"]["functionArn"] == f"{arn(function)}:$LATEST"


def test_reserved_concurrency_of_0_makes_events_dead_letters_at_once(server, api, function, notes):
    api.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    api.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"n": 3}')
    (letter,) = until(lambda: dead_letters(server, function))
    assert letter["record"]["requestContext"]["approximateInvokeCount"] == 0
    api.delete_function_concurrency(FunctionName=function)
    server.place.ask("dead-letters", "--endpoint", server.url, "--replay", letter["id"])
    assert notes.until(function)[0]["event"] == {"n": 3}


def test_throttled_events_wait_for_their_turn(api, function, notes):
    api.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    for n in range(3):
        payload = json.dumps({"n": n, "sleep": 0.3}).encode()
        api.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    found = notes.until(function, 3)
    assert sorted(note["event"]["n"] for note in found) == [0, 1, 2]


def test_the_aws_command_sends_events(server, function, notes, tmp_path):
    command = ["lambda", "invoke", "--function-name", function, "--invocation-type", "Event"]
    command += ["--payload", '{"n": 4}', str(tmp_path / "out")]
    status, out, err = aws(*command, url=server.url)
    assert status == 0, err
    assert json.loads(out)["StatusCode"] == 202
    assert notes.until(function)[0]["event"] == {"n": 4}


def start(where: Place) -> Server:
    port = free_port()
    flags = ("--port", str(port), "--data-dir", str(where.data), "--log-level", "error")
    server = Server(where, where.start("serve", *flags, stderr=subprocess.DEVNULL), port)
    server.until_ready()
    return server


def kill(server: Server) -> None:
    """Kill every process of the server."""
    pids = [server.process.pid, *server.pids().values()]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.process.wait()
    until(lambda: not any(map(is_alive, pids)))


@pytest.mark.timeout(120)
def test_no_event_that_was_accepted_is_lost_when_everything_is_killed():
    with noting() as notes, place() as where:
        server = start(where)
        make_function(server, "f", SOURCE, Environment=notes.variables)
        api = server.client("lambda")
        accepted: set[str] = set()

        def send(n: int) -> None:
            payload = json.dumps({"n": n, "sleep": 0.01}).encode()
            with suppress(Exception):  # of those that are sent while it is killed
                answer = api.invoke(FunctionName="f", InvocationType="Event", Payload=payload)
                accepted.add(answer["ResponseMetadata"]["RequestId"])

        with ThreadPoolExecutor(8) as senders:
            sending = [senders.submit(send, n) for n in range(160)]
            until(lambda: len(accepted) >= 80)
            kill(server)
            for one in sending:
                one.result()
        before = {note["id"] for note in notes.of("f")}
        assert accepted - before, "the queue was to be full"
        server = start(where)
        try:
            until(lambda: accepted <= {note["id"] for note in notes.of("f")}, seconds=60)
        finally:
            server.stop()
        repeated = [n for n in Counter(note["id"] for note in notes.all).values() if n > 1]
        assert len(repeated) <= 40  # what ran when it was killed runs again, nothing else


def test_dead_letters_of_more_than_a_page_are_all_listed(server):
    expected = [str(n) for n in range(PAGE_LETTERS_MAX + 1)]
    assert [letter["id"] for letter in dead_letters(server, "paged")] == expected
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{server.url}/_albatross/dead-letters?after=x", timeout=10)


async def keep_letters(directory: Path, arn: str, count: int) -> None:
    queue = EventQueue(directory, bytes_max=2**20)
    event = Event(id="e", arn=arn, payload=b"{}", accepted_s=1.0, due_s=1.0)
    await queue.put(event)
    letters = [
        Letter(
            id=str(n),
            arn=arn,
            at_s=float(n),
            condition="RetriesExhausted",
            destination=None,
            reason="why",
            payload=b"{}",
            record=b"{}",
        )
        for n in range(count)
    ]
    await queue.finish(event, dead=letters)
    await queue.close()


def test_requests_come_before_events_where_environments_are_scarce():
    with noting() as notes, place() as where:
        where.variables["ALBATROSS_ENVIRONMENTS_MAX"] = "2"
        with serving(where) as server:
            make_function(server, "f", SOURCE, Environment=notes.variables)
            api = server.client("lambda")
            for n in range(30):
                payload = json.dumps({"n": n, "sleep": 0.1}).encode()
                api.invoke(FunctionName="f", InvocationType="Event", Payload=payload)
            notes.until("f", 1)
            began = time.monotonic()
            answer = api.invoke(FunctionName="f", Payload=b'{"now": true}')
            assert json.loads(answer["Payload"].read()) == {"ok": True}
            done = [note["event"] for note in notes.of("f")]
            assert {"now": True} in done
            assert len(done) < 30, f"it waited {time.monotonic() - began:.1f} s for all events"
