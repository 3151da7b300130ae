"""Logs of functions as users read them: boto3, the aws command, `albatross logs`."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.support.aws_command import aws
from tests.support.command import Server, make_function, until
from tests.support.stack import Stack

FUNCTION = """
import json, logging, os, sys, time
logging.getLogger().setLevel("DEBUG")

def handler(event, context):
    what = event.get("what")
    print("hello", event.get("n"))
    if what == "records":
        logging.warning("two\\nlines")
        sys.stderr.write("oops\\n")
    if what == "raise":
        raise ValueError("on purpose")
    if what == "flood":
        for _ in range(event["n"]):
            print("f" * 99)
    if what == "levels":
        print(json.dumps({"level": "debug", "timestamp": "2026-01-01T00:00:00Z", "m": "low"}))
        print(json.dumps({"level": "error", "timestamp": "2026-01-01T00:00:00Z", "m": "high"}))
        logging.info("recorded")
    if what == "sleep":
        time.sleep(9)
    sees = "_LAMBDA_TELEMETRY_LOG_FD" in os.environ
    return [context.log_group_name, context.log_stream_name, sees]
"""
GROUP = "/aws/lambda/talks"


@pytest.fixture(scope="module")
def server(traffic: Stack) -> Server:
    make_function(traffic.server, "talks", FUNCTION, Timeout=1)
    return traffic.server


@pytest.fixture
def logs(server: Server) -> Any:
    return server.client("logs")


def invoke(server: Server, name: str = "talks", **event: Any) -> Any:
    answer = server.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.load(answer["Payload"]), answer["ResponseMetadata"]


def messages(logs: Any, stream: str, needed: str, group: str = GROUP) -> list[str]:
    """Return the messages of a stream once one has `needed` in it."""

    def look() -> list[str]:
        found = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        texts = [event["message"] for event in found["events"]]
        return texts if any(needed in text for text in texts) else []

    def is_there() -> bool:
        try:
            return bool(look())
        except logs.exceptions.ResourceNotFoundException:
            return False

    until(is_there)
    return look()


def command(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return server.place.ask(*arguments, "--endpoint", server.url)


def test_lines_and_records_are_events_between_those_of_lambda(server, logs) -> None:
    (group, stream, sees_descriptor), _ = invoke(server, n=1, what="records")
    assert (group, sees_descriptor) == (GROUP, False)
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    texts = messages(logs, stream, "two")
    at = texts.index("hello 1\n")
    start, _, record, oops, end, report = texts[at - 1 : at + 5]
    id_ = start.split()[2]
    assert start == f"START RequestId: {id_} Version: $LATEST\n"
    assert record.startswith("[WARNING]\t")
    assert record.endswith(f"Z\t{id_}\ttwo\nlines\n")
    assert (oops, end) == ("oops\n", f"END RequestId: {id_}\n")
    assert re.fullmatch(
        rf"REPORT RequestId: {id_}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\t(Init Duration: [\d.]+ ms\t)?\n",
        report,
    )
    assert texts[0].startswith("INIT_START Runtime Version: python:3.")


def test_a_stack_trace_is_one_event_and_a_timeout_is_told(server, logs) -> None:
    (_, stream, _), _ = invoke(server)
    invoke(server, what="raise")
    (trace,) = [t for t in messages(logs, stream, "on purpose") if "on purpose" in t]
    assert trace.startswith("[ERROR] ValueError: on purpose")
    assert "Traceback" in trace
    invoke(server, what="sleep")
    texts = messages(logs, stream, "timed out")
    assert any(re.search(r"Z [0-9a-f-]{36} Task timed out after 1.00 seconds\n$", t) for t in texts)
    assert any(text.endswith("Status: timeout\t\n") for text in texts)


def test_the_format_json_has_records_for_events_and_levels(server, logs) -> None:
    function = server.client("lambda")
    make_function(server, "json", FUNCTION)
    group = "/shared/logs"
    config = {"LogFormat": "JSON", "LogGroup": group, "ApplicationLogLevel": "INFO"}
    function.update_function_configuration(FunctionName="json", LoggingConfig=config)
    (seen_group, stream, _), _ = invoke(server, "json", what="levels")
    assert (seen_group, stream[11:16]) == (group, "json[")
    texts = messages(logs, stream, "platform.report", group)
    assert "hello None\n" in texts
    documents = [json.loads(text) for text in texts if text.startswith("{")]
    kinds = [each.get("type") or each.get("message") or each.get("m") for each in documents]
    assert kinds == [
        *("platform.initStart", "platform.start", "high", "recorded", "platform.report")
    ]
    report = documents[-1]["record"]
    assert report["status"] == "success"
    assert report["metrics"].keys() == {
        *("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs")
    }
    found = logs.filter_log_events(logGroupName=group, filterPattern='{ $.level = "INFO" }')
    assert [json.loads(e["message"])["message"] for e in found["events"]] == ["recorded"]
    config = {**config, "SystemLogLevel": "WARN", "ApplicationLogLevel": "ERROR"}
    function.update_function_configuration(FunctionName="json", LoggingConfig=config)
    (_, stream, _), _ = invoke(server, "json", what="levels")
    texts = messages(logs, stream, "high", group)
    assert [t for t in texts if "platform." in t or "recorded" in t or "low" in t] == []


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_what_node_logs_is_one_event_however_many_lines(server, logs) -> None:
    source = (
        "exports.handler = async (event, context) => { console.log('a\\nb'); "
        "console.log(process.env._LAMBDA_TELEMETRY_LOG_FD); return context.logStreamName }"
    )
    from tests.support.command import zipped

    server.client("lambda").create_function(
        FunctionName="node",
        Runtime="nodejs20.x",
        Handler="index.handler",
        Role="arn:aws:iam::123456789012:role/any",
        Code={"ZipFile": zipped(source, "index.js")},
    )
    stream, _ = invoke(server, "node")
    texts = messages(logs, stream, "END", "/aws/lambda/node")
    first, second = [text for text in texts if "\tINFO\t" in text]
    assert first.endswith("\tINFO\ta\nb\n")
    assert second.endswith("\tINFO\tundefined\n")


def test_a_flood_is_kept_whole_and_in_order(server, logs) -> None:
    count = int(os.environ.get("ALBATROSS_TEST_FLOOD_LINES", "20000"))
    server.client("lambda").update_function_configuration(FunctionName="talks", Timeout=60)
    (_, stream, _), _ = invoke(server, what="flood", n=count)

    def ended() -> bool:
        found = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, limit=3)
        return bool(found["events"]) and found["events"][-1]["message"].startswith("REPORT")

    until(ended)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, logStreamNames=[stream]
    )
    texts = [event["message"] for page in pages for event in page["events"]]
    assert texts.count("f" * 99 + "\n") == count
    assert texts[-2].startswith("END ")


def test_the_aws_command_reads_them(server) -> None:
    invoke(server, n=77)
    read = ["logs", "filter-log-events", "--log-group-name", GROUP]
    read += ["--filter-pattern", '"hello 77"', "--query", "events[].message"]

    def found() -> list[str]:
        status, out, err = aws(*read, url=server.url)
        assert status == 0, err
        return json.loads(out)

    assert until(found) == ["hello 77\n"]


def test_a_live_tail_shows_an_invocation_within_a_second(server, logs) -> None:
    config = Config(inject_host_prefix=False, retries={"total_max_attempts": 1})
    client = boto3.client(
        "logs",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )
    invoke(server)
    (group,) = until(lambda: logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"])
    tail = client.start_live_tail(logGroupIdentifiers=[group["logGroupArn"]])["responseStream"]
    events = iter(tail)
    next(events)
    invoke(server, n=5)
    updates = 0
    while not any(e["message"] == "hello 5\n" for e in
                  next(events)["sessionUpdate"]["sessionResults"]):  # fmt: skip
        updates += 1
        assert updates < 20
    tail.close()


def test_albatross_logs_shows_them(server) -> None:
    invoke(server, n=31)
    shown = until(lambda: (done := command(server, "logs", "talks", "--filter", '"hello 31"'))
                  and done.stdout and done)  # fmt: skip
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} hello 31\n", shown.stdout)
    as_json = command(server, "logs", GROUP, "--json", "--filter", '"hello 31"', "--since", "1h")
    assert json.loads(as_json.stdout)["message"] == "hello 31\n"
    none = command(server, "logs", "talks", "--version", "7")
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "There are none; --since looks further back than 10m.\n"


def test_albatross_logs_follows(server) -> None:
    arguments = ("logs", "talks", "-f", "--endpoint", server.url, "--filter", '"hello 41"')
    with server.place.start(*arguments, stdout=subprocess.PIPE) as process:
        invoke(server, n=41)
        assert process.stdout is not None
        assert process.stdout.readline().endswith(" hello 41\n")
        process.terminate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "ResourceNotFoundException: Function not found: "),
        (["/no/group"], "ResourceNotFoundException: The specified log group does not exist."),
        (["talks", "--filter", "{ $.a"], "InvalidParameterException: Invalid filter pattern: "),
        (["talks", "--since", "soon"], "--since must be like 30s, 10m, 2h, 7d or 2026-"),
    ],
)
def test_what_is_wrong_with_a_call_is_said(server, arguments: list[str], said: str) -> None:
    done = command(server, "logs", *arguments)
    assert done.returncode != 0
    assert said in done.stderr
