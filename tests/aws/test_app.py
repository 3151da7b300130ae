"""The API as clients see it: boto3, and whatever else may arrive on the port."""

import asyncio
import base64
import errno
import http.client
import io
import logging
import threading
import zipfile
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import pytest
from botocore.exceptions import ClientError

from albatross.aws.http import Response
from albatross.model.errors import (
    RuleNotFound,
    TooManyRequestsException,
)
from albatross.model.operation import AsyncOperation, Operation
from albatross.sts import OPERATIONS as STS
from tests.support.server import client, serve

LB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/0123456789abcdef"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
SIGNED = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{}/aws4_request, Signature=0"
FORM = {"content-type": "application/x-www-form-urlencoded"}
SECRET = "do-not-log-me"


def describe_load_balancers(tx, params):
    return {
        "LoadBalancers": [
            {
                "LoadBalancerArn": LB,
                "LoadBalancerName": f"{tx.scope.account}<&>{tx.scope.region}",
                "CreatedTime": datetime(2026, 7, 10, 12, 30, 1, 250000, tzinfo=UTC),
                "AvailabilityZones": [],
                "SecurityGroups": params.get("Names", []),
            }
        ]
    }


def delete_rule(tx, params):
    raise RuleNotFound(f"One or more rules not found: {params['RuleArn']}")


def without_room(tx, params):
    raise OSError(errno.ENOSPC, "No space left on device")


def broken(tx, params):
    raise RuntimeError("a mistake of ours")


def create_function(tx, params):
    return {
        "FunctionName": params["FunctionName"],
        "CodeSize": len(params["Code"]["ZipFile"]),
        "Environment": params.get("Environment", {}),
    }


def get_function(tx, params):
    return {"Configuration": {"FunctionName": params["FunctionName"]}, "Tags": params}


def put_function_concurrency(tx, params):
    raise TooManyRequestsException("CallerRateLimitExceeded")


async def invoke(scope, params):
    if params.get("InvocationType") == "Event":
        return {"StatusCode": 202}
    return {
        "StatusCode": 200,
        "Payload": params.get("Payload", b"null"),
        "ExecutedVersion": "$LATEST",
        "FunctionError": "Unhandled",
        "LogResult": base64.b64encode(params["FunctionName"].encode()).decode(),
    }


async def break_off(scope, params):
    async def events():
        yield {"PayloadChunk": {"Payload": b"begun"}}
        raise RuntimeError("a mistake of ours")

    return {"StatusCode": 200, "EventStream": events()}


async def hello(request):
    return Response(200, {"Content-Type": "text/plain"}, request.body or b"hello")


async def fail(request):
    raise RuntimeError("a mistake of ours")


OPERATIONS = {
    "elasticloadbalancing": {
        "DescribeLoadBalancers": Operation(describe_load_balancers, writes=False),
        "DeleteRule": Operation(delete_rule, writes=True),
        "DescribeRules": Operation(broken, writes=False),
        "DescribeListeners": Operation(without_room, writes=False),
    },
    "lambda": {
        "CreateFunction": Operation(create_function, writes=True),
        "GetFunction": Operation(get_function, writes=False),
        "PutFunctionConcurrency": Operation(put_function_concurrency, writes=True),
        "DeleteFunctionConcurrency": Operation(lambda tx, params: {}, writes=True),
        "Invoke": AsyncOperation(invoke),
        "InvokeWithResponseStream": AsyncOperation(break_off),
    },
    "sts": STS,
}
EXTRA = {
    ("GET", "/_albatross/health"): hello,
    ("POST", "/_albatross/health"): hello,
    ("GET", "/_albatross/broken"): fail,
}


@pytest.fixture(scope="module")
def url():
    with serve(OPERATIONS, extra_routes=EXTRA) as url:
        yield url


@pytest.fixture
def call(url):
    """`call(method, target, body, headers)` returns status, headers and body of the answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=15)

    def call(method, target, body=b"", headers=None, *, service=None):
        signed = {"authorization": SIGNED.format(service)} if service else {}
        connection.request(method, target, body, {**signed, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    yield call
    connection.close()


def refusal(function, **params):
    with pytest.raises(ClientError) as raised:
        function(**params)
    return raised.value.response


# boto3


def test_elbv2_answers_boto3(url):
    answer = client("elbv2", url).describe_load_balancers(Names=["b", "a"])
    (found,) = answer["LoadBalancers"]
    assert found["LoadBalancerName"] == "123456789012<&>us-east-1"
    assert found["CreatedTime"] == datetime(2026, 7, 10, 12, 30, 1, 250000, tzinfo=UTC)
    assert found["AvailabilityZones"] == []
    assert found["SecurityGroups"] == ["b", "a"]
    metadata = answer["ResponseMetadata"]
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]


def test_region_and_account_come_from_the_signature(url):
    elbv2 = client("elbv2", url, region="eu-west-1", access_key="999999999999")
    (found,) = elbv2.describe_load_balancers()["LoadBalancers"]
    assert found["LoadBalancerName"] == "999999999999<&>eu-west-1"


def test_sts_says_who_calls(url):
    answer = client("sts", url, access_key="999999999999").get_caller_identity()
    assert answer["Account"] == "999999999999"
    assert answer["Arn"] == "arn:aws:iam::999999999999:root"


def test_an_error_of_the_query_protocol_has_code_message_and_type(url):
    elbv2 = client("elbv2", url)
    answer = refusal(elbv2.delete_rule, RuleArn="arn:<x>")
    assert answer["Error"] == {
        "Type": "Sender",
        "Code": "RuleNotFound",
        "Message": "One or more rules not found: arn:<x>",
    }
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(elbv2.exceptions.RuleNotFoundException):
        elbv2.delete_rule(RuleArn="x")


def test_an_error_of_the_rest_protocol_has_the_members_of_its_shape(url):
    lambda_ = client("lambda", url)
    answer = refusal(
        lambda_.put_function_concurrency, FunctionName="f", ReservedConcurrentExecutions=1
    )
    assert answer["Error"]["Code"] == "TooManyRequestsException"
    assert answer["Error"]["Message"] == "Rate Exceeded."
    assert (answer["Type"], answer["Reason"]) == ("User", "CallerRateLimitExceeded")
    assert answer["retryAfterSeconds"] == "1"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_a_function_with_a_large_package_is_created(url):
    package = bytes(range(256)) * 40 * 1024
    answer = client("lambda", url).create_function(
        FunctionName="f",
        Role="arn:aws:iam::123456789012:role/r",
        Code={"ZipFile": package},
        Environment={"Variables": {"TOKEN": SECRET}},
    )
    assert answer["CodeSize"] == len(package)
    assert answer["Environment"] == {"Variables": {"TOKEN": SECRET}}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("f", id="name"),
        pytest.param("f:alias", id="name with qualifier"),
        pytest.param("123456789012:function:f", id="partial ARN"),
        pytest.param(FUNCTION, id="ARN"),
        pytest.param(f"{FUNCTION}:$LATEST", id="ARN with qualifier"),
    ],
)
def test_a_function_may_be_named_by_its_arn(url, call, name):
    answer = client("lambda", url).get_function(FunctionName=name, Qualifier="$LATEST")
    assert answer["Configuration"]["FunctionName"] == name
    assert answer["Tags"]["Qualifier"] == "$LATEST"
    status, _, body = call("GET", f"/2015-03-31/functions/{name}")
    assert (status, f'"FunctionName":"{name}"' in body) == (200, True)
    status, _, body = call("GET", f"/2015-03-31/functions/{quote(name, safe='')}/")
    assert (status, f'"FunctionName":"{name}"' in body) == (200, True)


def test_invoke_hands_the_payload_through_as_it_is(url):
    answer = client("lambda", url).invoke(FunctionName="f", Payload=b'{"a": "\xc3\xa9" }\n')
    assert answer["Payload"].read() == b'{"a": "\xc3\xa9" }\n'
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert answer["ExecutedVersion"] == "$LATEST"
    assert base64.b64decode(answer["LogResult"]) == b"f"


def test_invoke_answers_with_the_status_of_the_result(url):
    answer = client("lambda", url).invoke(FunctionName="f", InvocationType="Event")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["Payload"].read() == b""


def test_an_answer_without_content_has_no_body(url):
    answer = client("lambda", url).delete_function_concurrency(FunctionName="f")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        pytest.param("elbv2", "delete_rule", {}, "ValidationError", id="elbv2"),
        pytest.param("sts", "assume_role", {"RoleArn": "x"}, "ValidationError", id="sts"),
        pytest.param(
            "lambda", "get_function", {"FunctionName": "a b"}, "ValidationException", id="lambda"
        ),
    ],
)
def test_what_breaks_the_model_is_refused(url, service, operation, params, code):
    api = client(service, url, parameter_validation=False)
    answer = refusal(getattr(api, operation), **params)
    assert answer["Error"]["Code"] == code
    assert "detected: Value " in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        pytest.param("elbv2", "describe_account_limits", {}, id="elbv2"),
        pytest.param("lambda", "list_layers", {}, id="lambda"),
        pytest.param("sts", "get_session_token", {}, id="sts"),
    ],
)
def test_an_operation_that_is_still_to_come_says_so(url, service, operation, params):
    answer = refusal(getattr(client(service, url), operation), **params)
    assert answer["Error"]["Code"] == "NotImplemented"
    assert "docs/coverage.md" in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        pytest.param("s3", "list_buckets", id="REST-XML"),
        pytest.param("dynamodb", "list_tables", id="JSON"),
        pytest.param("iam", "list_users", id="Query"),
        pytest.param("ec2", "describe_vpcs", id="EC2"),
    ],
)
def test_a_service_that_is_not_here_says_so(url, service, operation):
    answer = refusal(getattr(client(service, url), operation))
    assert answer["Error"]["Code"] == "NotImplemented"
    assert f"'{service}' is not implemented" in answer["Error"]["Message"]


# other clients


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        pytest.param("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", id="form"),
        pytest.param("POST", "/", b"Action=GetCallerIdentity", id="no version"),
        pytest.param("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", b"", id="query"),
        pytest.param(
            "GET",
            "/?Action=GetCallerIdentity&X-Amz-Credential=A/20260101/us-east-1/sts/aws4_request",
            b"",
            id="presigned",
        ),
    ],
)
def test_the_query_protocol_needs_no_signature(call, method, target, body):
    status, headers, answer = call(method, target, body, FORM)
    assert (status, headers["content-type"]) == (200, "text/xml")
    assert "<Account>123456789012</Account>" in answer


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="sent whole"),
        pytest.param({"expect": "100-continue"}, id="asked before sending"),
    ],
)
def test_a_body_that_is_too_large_is_refused(call, headers):
    body = b"Action=GetCallerIdentity&x=" + b"x" * (10 * 1024 * 1024)
    status, _, answer = call("POST", "/", body, {**FORM, **headers}, service="sts")
    assert status == 413
    assert "Request must be smaller than 10485760 bytes" in answer


def test_a_payload_that_is_too_large_is_refused_in_the_form_of_the_service(url):
    answer = refusal(client("lambda", url).invoke, FunctionName="f", Payload=b" " * 11_000_000)
    assert answer["Error"]["Code"] == "RequestEntityTooLargeException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_body_without_a_declared_length_is_read(call):
    chunks = iter([b"Action=Get", b"CallerIdentity"])
    status, _, _ = call("POST", "/", chunks, FORM)
    assert status == 200


def test_a_stream_that_breaks_off_does_not_look_complete(call):
    path = "/2021-11-15/functions/f/response-streaming-invocations"
    with pytest.raises(http.client.IncompleteRead):
        call("POST", path, b"{}")


def test_a_mistake_of_ours_is_an_internal_failure_and_in_the_log(url, call, caplog):
    answer = refusal(client("elbv2", url).describe_rules)
    assert answer["Error"]["Code"] == "InternalFailure"
    assert answer["Error"]["Type"] == "Receiver"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 500
    (record,) = (record for record in caplog.records if record.exc_info)
    assert answer["ResponseMetadata"]["RequestId"] in record.getMessage()
    assert "a mistake of ours" in str(record.exc_info[1])
    assert client("sts", url).get_caller_identity()["Account"]


def test_a_full_disk_is_no_mistake_of_ours(url, call, caplog):
    answer = refusal(client("elbv2", url).describe_listeners)
    assert answer["Error"]["Code"] == "ServiceUnavailable"
    assert "No room is left on the disk" in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "no room is left on the disk" in caplog.text
    assert not any(record.exc_info for record in caplog.records)


def test_the_log_has_neither_environment_nor_signature(url, caplog):
    caplog.set_level(logging.DEBUG, logger="albatross")
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    client("lambda", url, access_key="AKIANOTTHIS").create_function(
        FunctionName="f",
        Role="arn:aws:iam::123456789012:role/r",
        Code={"ZipFile": buffer.getvalue()},
        Environment={"Variables": {"TOKEN": SECRET}},
    )
    lines = [line.getMessage() for line in caplog.records if line.name.startswith("albatross")]
    assert any("lambda CreateFunction: 201" in line for line in lines)
    assert not any(SECRET in line or "AKIANOTTHIS" in line for line in lines)


# after a write, and beside the API


def test_a_write_is_answered_after_it_is_in_effect():
    calls = []

    async def after_write():
        calls.append("in effect")

    def write(tx, params):
        calls.append("written")
        return {}

    def refuse(tx, params):
        calls.append("refused")
        raise RuleNotFound("no")

    operations = {
        "lambda": {
            "DeleteFunctionConcurrency": Operation(write, writes=True),
            "DeleteFunction": Operation(refuse, writes=True),
            "GetFunction": Operation(get_function, writes=False),
        }
    }
    with serve(operations, after_write=after_write) as url:
        client("lambda", url).delete_function_concurrency(FunctionName="f")
        assert calls == ["written", "in effect"]
        refusal(client("lambda", url).delete_function, FunctionName="f")
        client("lambda", url).get_function(FunctionName="f")
        assert calls == ["written", "in effect", "refused"]


def test_a_committed_write_is_answered_even_when_it_cannot_take_effect(caplog):
    async def after_write():
        raise RuntimeError("the proxy is away")

    with serve(OPERATIONS, after_write=after_write) as url:
        client("lambda", url).delete_function_concurrency(FunctionName="f")
    assert any("may not be in effect" in record.getMessage() for record in caplog.records)


def test_an_invocation_does_not_hold_up_other_calls():
    invoked, answered = threading.Event(), threading.Event()

    async def wait(scope, params):
        invoked.set()
        await asyncio.to_thread(answered.wait, 10)
        return {"StatusCode": 200}

    with serve({"lambda": {"Invoke": AsyncOperation(wait)}, "sts": STS}) as url:
        lambda_ = client("lambda", url)
        thread = threading.Thread(target=lambda_.invoke, kwargs={"FunctionName": "f"})
        thread.start()
        assert invoked.wait(10)
        assert client("sts", url).get_caller_identity()
        answered.set()
        thread.join()


def test_extra_routes_are_served_beside_the_api(call):
    assert call("GET", "/_albatross/health")[::2] == (200, "hello")
    assert call("POST", "/_albatross/health", b"body")[::2] == (200, "body")
    status, headers, _ = call("DELETE", "/_albatross/health")
    assert (status, headers["allow"]) == (405, "GET, POST")
    assert call("GET", "/_albatross/broken")[0] == 500


@pytest.mark.parametrize("path", ["/_albatross/helth", "/_albatross/", "/_albatross/health/"])
def test_an_unknown_path_of_our_own_names_those_that_there_are(call, path):
    status, headers, body = call("GET", path)
    assert (status, headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert body == (
        f"There is no {path}. There are: GET /_albatross/broken, GET /_albatross/health, "
        "POST /_albatross/health.\n"
    )
