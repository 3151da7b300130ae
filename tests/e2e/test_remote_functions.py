"""Functions that run elsewhere, behind a load balancer here: in another Albatross, and in moto."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.support.command import (
    REGION,
    Server,
    fixed,
    free_port,
    get,
    make_balancer,
    make_function,
    make_listener,
    make_target_group,
    place,
    serving,
    until,
    zipped,
)
from tests.support.server import client
from tests.support.stack import Stack

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
KEYS = """
[default]
aws_access_key_id = AKIAELSEWHERE
aws_secret_access_key = very-secret
aws_account_id = 123456789012
"""
SOURCE = """
import json

def handler(event, context):
    print("printed")
    if event["path"] == "/raise":
        raise ValueError("on purpose")
    if event["path"] == "/version":
        body = context.function_version + " " + context.invoked_function_arn
    else:
        body = "far " + event["path"]
    return {"statusCode": 200, "body": body}
"""


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """moto's Lambda without Docker: it answers what it was told to, or nothing."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    post(f"{url}/moto-api/config", {"lambda": {"use_docker": False}})
    yield url
    server.stop()


def post(url: str, document: object) -> None:
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        assert answer.status < 300


@pytest.fixture(scope="module")
def far(traffic: Stack) -> Server:
    server, functions = traffic.server, traffic.functions
    make_function(server, "fn", SOURCE)
    functions.publish_version(FunctionName="fn")
    functions.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    make_function(server, "both", SOURCE)
    make_function(server, "throttled", SOURCE)
    functions.put_function_concurrency(FunctionName="throttled", ReservedConcurrentExecutions=0)
    return server


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """An Albatross that wants signatures."""
    with place() as where:
        keys = where.folder / "keys"
        keys.write_text(KEYS)
        keys.chmod(0o600)
        with serving(where, "--auth", str(keys)) as server:
            yield server


@pytest.fixture(scope="module")
def near(far: Server, guarded: Server, moto: str) -> Iterator[Server]:
    with place() as where:
        where.variables["AWS_SHARED_CREDENTIALS_FILE"] = str(guarded.place.folder / "keys")
        where.variables["AWS_CONFIG_FILE"] = "/nonexistent"
        (where.folder / "albatross.toml").write_text(
            f"""
[remote_functions]
"{ARN}guarded-*" = {{ endpoint = "{guarded.url}", profile = "default" }}
"{ARN}moto*" = "{moto}"
"{ARN}gone" = "http://127.0.0.1:{free_port()}"
"{ARN}unsigned" = "{guarded.url}"
"arn:aws:lambda:*:*:function:*" = "{far.url}"
"""
        )
        with serving(where) as server:
            yield server


@pytest.fixture(scope="module")
def fronts(near: Server) -> Iterator["Fronts"]:
    with ExitStack():
        yield Fronts(near)


class Fronts:
    """A listener that forwards to one function after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = free_port()
        self._balancer = make_balancer(server, "far")
        self._listener = make_listener(server, self._balancer, self.port, fixed("nothing yet"))
        self._made = 0

    def get(self, function_arn: str, path: str = "/x") -> tuple[int, str]:
        self._made += 1
        group = make_target_group(self.server, f"group-{self._made}", function_arn)
        self.server.client("elbv2").modify_listener(
            ListenerArn=self._listener,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return get(self.port, path)


def test_a_function_elsewhere_answers_requests_here(fronts: Fronts) -> None:
    assert fronts.get(f"{ARN}fn") == (200, "far /x")


def test_versions_and_aliases_elsewhere_are_invoked_as_registered(fronts: Fronts) -> None:
    assert fronts.get(f"{ARN}fn:live", "/version") == (200, f"1 {ARN}fn:live")
    assert fronts.get(f"{ARN}fn:1", "/version") == (200, f"1 {ARN}fn:1")
    assert fronts.get(f"{ARN}fn", "/version") == (200, f"$LATEST {ARN}fn")


def test_a_function_that_is_here_is_run_here(fronts: Fronts, near: Server) -> None:
    assert fronts.get(f"{ARN}both") == (200, "far /x")
    make_function(near, "both")
    assert get(fronts.port, "/x") == (200, "hello /x")
    near.client("lambda").delete_function(FunctionName="both")
    assert get(fronts.port, "/x") == (200, "far /x")


@pytest.mark.parametrize("name", ["fn-none", "throttled", "gone", "unsigned", "fn:none"])
def test_errors_of_the_other_side_are_the_load_balancers(fronts: Fronts, name: str) -> None:
    status, page = fronts.get(ARN + name)
    assert status == 502
    assert "<title>502 Bad Gateway</title>" in page


def test_a_function_that_fails_elsewhere_is_a_502(fronts: Fronts) -> None:
    assert fronts.get(f"{ARN}fn", "/raise")[0] == 502


def test_calls_are_signed_with_the_profile_named(fronts: Fronts, guarded: Server) -> None:
    keys = {"access_key": "AKIAELSEWHERE", "secret_key": "very-secret"}
    functions = client("lambda", guarded.url, **keys)
    functions.create_function(
        FunctionName="guarded-fn",
        Runtime="python3.11",
        Handler="app.handler",
        Role="arn:aws:iam::123456789012:role/any",
        Code={"ZipFile": zipped(SOURCE)},
    )
    assert fronts.get(f"{ARN}guarded-fn") == (200, "far /x")


def test_invoke_reaches_a_function_elsewhere(near: Server) -> None:
    functions = near.client("lambda")
    called = {"FunctionName": "fn", "Payload": b'{"path":"/x"}'}
    answer = functions.invoke(**called, LogType="Tail", Qualifier="live")
    assert json.load(answer["Payload"]) == {"statusCode": 200, "body": "far /x"}
    assert answer["ExecutedVersion"] == "1"
    assert "LogResult" in answer
    failed = functions.invoke(FunctionName="fn", Payload=b'{"path":"/raise"}')
    assert failed["FunctionError"] == "Unhandled"
    assert json.load(failed["Payload"])["errorType"] == "ValueError"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.invoke(FunctionName="none")
    with pytest.raises(functions.exceptions.TooManyRequestsException) as refused:
        functions.invoke(FunctionName="throttled")
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_an_asynchronous_invocation_is_queued_elsewhere(near: Server, far: Server) -> None:
    functions, logs = near.client("lambda"), far.client("logs")
    make_function(far, "queued", SOURCE)
    answer = functions.invoke(
        FunctionName="queued", Payload=b'{"path":"/x"}', InvocationType="Event"
    )
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    old = functions.invoke_async(FunctionName="queued", InvokeArgs=b'{"path":"/x"}')
    assert old["Status"] == 202
    arguments = {"logGroupName": "/aws/lambda/queued", "filterPattern": "printed"}

    def has_run_twice() -> bool:
        try:
            return len(logs.filter_log_events(**arguments)["events"]) == 2
        except logs.exceptions.ResourceNotFoundException:
            return False

    until(has_run_twice)


def test_a_record_goes_to_a_function_elsewhere(near: Server, far: Server) -> None:
    functions, logs = near.client("lambda"), far.client("logs")
    make_function(near, "sender", SOURCE)
    make_function(far, "receiver", "def handler(event, context): print(event['requestPayload'])")
    functions.put_function_event_invoke_config(
        FunctionName="sender",
        DestinationConfig={"OnSuccess": {"Destination": f"{ARN}receiver"}},
    )
    functions.invoke(FunctionName="sender", Payload=b'{"path":"/sent"}', InvocationType="Event")
    arguments = {"logGroupName": "/aws/lambda/receiver", "filterPattern": '"/sent"'}

    def has_come() -> bool:
        try:
            return len(logs.filter_log_events(**arguments)["events"]) == 1
        except logs.exceptions.ResourceNotFoundException:
            return False

    until(has_come)


@pytest.mark.parametrize(("kind", "status"), [("Event", 202), ("DryRun", 204)])
def test_whether_it_would_be_invoked_is_asked_elsewhere(
    near: Server, kind: str, status: int
) -> None:
    functions = near.client("lambda")
    assert functions.invoke(FunctionName="fn", InvocationType=kind)["StatusCode"] == status
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.invoke(FunctionName="none", InvocationType=kind)
    with pytest.raises(ClientError, match=r"ServiceException.*AccessDenied"):
        functions.invoke(FunctionName="unsigned", InvocationType=kind)


@pytest.mark.parametrize("access_key", ["999999999999"])
def test_a_function_of_another_account_is_not_registered(near: Server, access_key: str) -> None:
    elb = near.client("elbv2", access_key)
    group = elb.create_target_group(Name="other", TargetType="lambda")["TargetGroups"][0]
    with pytest.raises(ClientError, match=r"InvalidTarget.*account 999999999999"):
        elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": f"{ARN}fn"}])


def test_health_checks_of_a_function_elsewhere_invoke_it_there(
    fronts: Fronts, near: Server
) -> None:
    elb = near.client("elbv2")
    for name, path, state in (("well", "/ok", "healthy"), ("ill", "/raise", "unhealthy")):
        group = elb.create_target_group(
            Name=name,
            TargetType="lambda",
            HealthCheckEnabled=True,
            HealthCheckPath=path,
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=4,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": f"{ARN}fn"}])
        elb.create_rule(
            ListenerArn=fronts._listener,
            Priority=len(name),
            Conditions=[{"Field": "path-pattern", "Values": [f"/{name}"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )

        def is_in(group: str = group, state: str = state) -> bool:
            [found] = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            return bool(found["TargetHealth"]["State"] == state)

        until(is_in)


def test_moto_can_be_elsewhere(fronts: Fronts, moto: str) -> None:
    assert fronts.get(f"{ARN}moto-none")[0] == 502
    iam = client("iam", moto, access_key=ACCOUNT)
    role = iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client("lambda", moto, access_key=ACCOUNT).create_function(
        FunctionName="moto",
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped(SOURCE)},
    )
    post(
        f"{moto}/moto-api/static/lambda-simple/response",
        {"results": ['{"statusCode":201,"body":"from moto"}'], "region": REGION},
    )
    assert fronts.get(f"{ARN}moto") == (201, "from moto")
    functions = fronts.server.client("lambda")
    for kind, status in (("Event", 202), ("DryRun", 204)):
        answer = functions.invoke(FunctionName="moto", InvocationType=kind)
        assert (answer["StatusCode"], answer["Payload"].read()) == (status, b"")


def test_a_table_that_is_wrong_stops_the_start_with_its_line(tmp_path: Path) -> None:
    with place() as where:
        (where.folder / "albatross.toml").write_text('port = 0\n\n[remote_functions]\nfn = "aws"\n')
        done = where.call("serve")
    assert done.returncode != 0
    assert "albatross.toml:4: remote_functions: 'fn' is not the ARN of a function" in done.stderr
