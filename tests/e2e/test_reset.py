"""`POST /_albatross/reset`: nothing is left of what was made, in any account."""

import http.client
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.command import (
    Server,
    get,
    make_function,
    place,
    serve_function,
    serving,
    until,
)

SOURCE = """
import time

def handler(event, context):
    if event.get("fail"):
        raise ValueError("on purpose")
    time.sleep(event.get("sleep", 0))
    return {"statusCode": 200, "body": "there"}
"""


@dataclass
class Reset:
    """A server of which this was asked: first by another site's page, then by nobody's."""

    server: Server
    port: int  # of a listener
    answer_of_another_site: tuple[int, int]  # what it got, and what the listener answered then
    status: int


@pytest.fixture(scope="module")
def reset() -> Iterator[Reset]:
    with place() as where, serving(where) as server:
        port = serve_function(server, "gone", SOURCE)
        functions = server.client("lambda")
        assert functions.publish_version(FunctionName="gone")["Version"] == "1"
        server.client("elbv2", "210987654321").create_target_group(Name="x", TargetType="lambda")
        server.client("acm").request_certificate(
            DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
        )
        functions.put_function_event_invoke_config(FunctionName="gone", MaximumRetryAttempts=0)
        for payload in (b'{"fail": true}', b'{"sleep": 0.5}'):
            functions.invoke(FunctionName="gone", InvocationType="Event", Payload=payload)
        until(lambda: dead_letters(server))
        refused = _post(server, Origin="http://example.com"), get(port)[0]
        yield Reset(server, port, refused, _post(server))


def _post(server: Server, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/_albatross/reset", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def dead_letters(server: Server) -> list[object]:
    done = server.place.ask("dead-letters", "--endpoint", server.url, "--json")
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_another_sites_page_cannot_ask_for_it(reset):
    assert reset.answer_of_another_site == (403, 200)


def test_it_forgets_every_account_and_region(reset):
    assert reset.status == 200
    assert get(reset.port)[0] == 0
    for account in ("123456789012", "210987654321"):
        elb = reset.server.client("elbv2", account)
        assert elb.describe_target_groups()["TargetGroups"] == []


def test_a_function_of_the_same_name_is_another_one(reset):
    functions = reset.server.client("lambda")
    assert functions.list_functions()["Functions"] == []
    make_function(reset.server, "gone")
    assert functions.publish_version(FunctionName="gone")["Version"] == "1"


def test_the_keys_of_certificates_are_gone(reset):
    until(lambda: not list((reset.server.place.data / "certificates").iterdir()))


def test_it_forgets_events_and_dead_letters(reset):
    assert dead_letters(reset.server) == []
    with sqlite3.connect(reset.server.place.data / "events.db") as queue:
        assert queue.execute("select count(*) from events").fetchone() == (0,)


def test_hosts_says_that_there_is_nothing_to_name(reset):
    done = reset.server.place.ask("hosts", "--endpoint", reset.server.url)
    assert (done.returncode, done.stdout) == (0, "")
    assert "There is no load balancer yet." in done.stderr
