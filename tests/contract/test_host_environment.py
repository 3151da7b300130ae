"""What a function sees: environment variables and the context object, row by row.

Sources: Lambda guide, "Working with Lambda environment variables", "Using the Lambda context
object".
"""

import base64
import json
import re
import sys
import time
from typing import Any

import pytest

from albatross.host.local.variables import SERVICE_IDS
from tests.support.command import zipped
from tests.support.invoking import SOURCE, invoke, make_custom, run
from tests.support.node import NODE
from tests.support.rules import refused
from tests.support.stack import Stack

PYTHON = f"python3.{sys.version_info.minor}"
NODE_SOURCE = """
exports.handler = async (event, context) => {
  const left = context.getRemainingTimeInMillis();
  const methods = Object.entries(context).filter(([, each]) => typeof each === "function");
  return { context, left, env: process.env, methods: methods.map(([name]) => name) };
};
"""
LOG_STREAM = r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}"
RESERVED = (
    *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME"),
    *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_ACCESS_KEY"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_ACCESS_KEY_ID"),
    *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    *("AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "AWS_LAMBDA_MAX_CONCURRENCY"),
)


@pytest.fixture(scope="module")
def function(traffic: Stack) -> str:
    variables = {"MINE": "\u00e9", "TZ": "Europe/Berlin", "My_2": ""}
    return traffic.make(SOURCE, Timeout=7, MemorySize=256, Environment={"Variables": variables})


@pytest.fixture(scope="module")
def name(function: str) -> str:
    return function.rpartition(":")[2]


@pytest.fixture(scope="module")
def seen(traffic: Stack, function: str) -> dict[str, str]:
    found: dict[str, str] = run(traffic, function, "result = dict(os.environ)").result
    return found


@pytest.fixture(scope="module")
def node(traffic: Stack) -> tuple[str, Any, str]:
    """The ARN of a Node.js function, what it has seen, and in which request."""
    if NODE is None:
        pytest.skip("node is not on the PATH")
    code = {"ZipFile": zipped(NODE_SOURCE, "app.js")}
    arn = traffic.make("", Runtime="nodejs20.x", Code=code, Timeout=7, MemorySize=192)
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    invoked = invoke(traffic, arn, {}, ClientContext=context)
    return arn, invoked.result, invoked.request_id


# Environment variables


def test_reserved_handler_function_name_memory_size_version_initialization_type(
    seen: dict[str, str], name: str
) -> None:
    expected = {
        "_HANDLER": "app.handler",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }
    assert seen | expected == seen


def test_reserved_aws_region_and_aws_default_region(seen: dict[str, str]) -> None:
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"


def test_reserved_aws_execution_env_with_the_runtime_not_for_provided(
    traffic: Stack, seen: dict[str, str]
) -> None:
    assert seen["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{PYTHON}"
    custom = run(traffic, make_custom(traffic), "result = dict(os.environ)").result
    assert "AWS_EXECUTION_ENV" not in custom
    assert "_X_AMZN_TRACE_ID" not in custom
    assert custom.keys() >= {
        *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "_HANDLER"),
        *("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "LANG", "PATH", "TZ"),
    }


def test_reserved_x_amzn_trace_id_per_invoke(traffic: Stack, function: str) -> None:
    code = "result = os.environ['_X_AMZN_TRACE_ID']"
    first, second = run(traffic, function, code).result, run(traffic, function, code).result
    trace = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0"
    assert re.fullmatch(trace, first) and re.fullmatch(trace, second)
    assert first != second


def test_reserved_log_group_and_log_stream_name(seen: dict[str, str], name: str) -> None:
    assert seen["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert re.fullmatch(LOG_STREAM, seen["AWS_LAMBDA_LOG_STREAM_NAME"])


def test_reserved_keys_and_session_token(seen: dict[str, str]) -> None:
    assert seen["AWS_ACCESS_KEY"] == seen["AWS_ACCESS_KEY_ID"]
    assert seen["AWS_SECRET_ACCESS_KEY"] and seen["AWS_SESSION_TOKEN"]


def test_reserved_lambda_task_root_var_task_lambda_runtime_dir_var_runtime(
    traffic: Stack, function: str, seen: dict[str, str]
) -> None:
    assert seen["LAMBDA_TASK_ROOT"] == "/var/task"
    assert seen["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    code = "result = [os.getcwd(), os.listdir('/var/task'), __file__]"
    assert run(traffic, function, code).result == ["/var/task", ["app.py"], "/var/task/app.py"]


def test_reserved_metadata_api_and_token_say_the_availability_zone(
    traffic: Stack, function: str, seen: dict[str, str]
) -> None:
    code = """
import urllib.request, urllib.error
url = f"http://{os.environ['AWS_LAMBDA_METADATA_API']}/2026-01-15/metadata/execution-environment"
result = []
for token in (os.environ["AWS_LAMBDA_METADATA_TOKEN"], "other"):
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked) as answer:
            result += [answer.status, json.load(answer), answer.headers["Cache-Control"]]
    except urllib.error.HTTPError as error:
        result += [error.status]
"""
    assert run(traffic, function, code).result == [
        200,
        {"AvailabilityZoneID": "use1-az1"},
        "private, max-age=43200, immutable",
        401,
    ]


def test_unreserved_lang_path_ld_library_path_pythonpath_tz(traffic: Stack, seen: Any) -> None:
    custom = run(traffic, make_custom(traffic), "result = dict(os.environ)").result
    for found in (seen, custom):
        assert found["LANG"] == "en_US.UTF-8"
        assert found["PATH"] == "/usr/local/bin:/usr/bin/:/bin:/opt/bin"
        assert found["LD_LIBRARY_PATH"] == (
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib"
            ":/var/task:/var/task/lib:/opt/lib"
        )
    assert seen["PYTHONPATH"] == "/var/runtime"
    assert custom["TZ"] == ":UTC"


def test_unreserved_x_ray_sdks_log_and_know_an_address(traffic: Stack, seen: Any) -> None:
    custom = run(traffic, make_custom(traffic), "result = dict(os.environ)").result
    for found in (seen, custom):
        assert found["AWS_XRAY_CONTEXT_MISSING"] == "LOG_ERROR"
        assert re.fullmatch(r"[0-9.]+:\d+", found["AWS_XRAY_DAEMON_ADDRESS"])


def test_unreserved_may_be_set(seen: dict[str, str]) -> None:
    assert (seen["TZ"], seen["MINE"], seen["My_2"]) == ("Europe/Berlin", "\u00e9", "")


def test_nothing_of_the_servers_environment_is_seen(seen: dict[str, str]) -> None:
    known = {"MINE", "My_2", "TZ", "LANG", "LC_CTYPE", "PATH", "LD_LIBRARY_PATH", "PYTHONPATH"}
    known |= {*RESERVED, "_HANDLER", "_X_AMZN_TRACE_ID", "HOME", "TMPDIR"}
    known |= {"AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS"}
    known |= {f"AWS_ENDPOINT_URL_{service_id}" for service_id in SERVICE_IDS}
    assert seen.keys() <= known


@pytest.mark.parametrize("key", ["A", "1A", "_A", "A-B", "A B", "\u00c4B", ""])
def test_user_keys_match_a_letter_and_at_least_one_more(
    traffic: Stack, function: str, key: str
) -> None:
    code, message = refused(
        traffic.functions.update_function_configuration,
        FunctionName=function,
        Environment={"Variables": {key: "x"}},
    )
    assert code == "ValidationException"
    assert "[a-zA-Z]([a-zA-Z0-9_])+" in message


def test_total_4_kb(traffic: Stack, function: str) -> None:
    update = traffic.functions.update_function_configuration
    room = 4096 - len('{"KEY":""}')
    name = traffic.make(SOURCE)
    update(FunctionName=name, Environment={"Variables": {"KEY": "x" * room}})
    code, message = refused(
        update, FunctionName=name, Environment={"Variables": {"KEY": "x" * (room + 1)}}
    )
    assert code == "InvalidParameterValueException"
    assert "exceeded the 4KB limit" in message


@pytest.mark.parametrize("key", RESERVED)
def test_reserved_keys_refused_invalid_parameter_value_exception(
    traffic: Stack, function: str, key: str
) -> None:
    assert refused(
        traffic.functions.update_function_configuration,
        FunctionName=function,
        Environment={"Variables": {"MINE": "1", key: "x"}},
    ) == (
        "InvalidParameterValueException",
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided contains reserved keys that are currently not supported for "
        f"modification. Reserved keys used in this request: {key}",
    )


def test_aws_lambda_log_format_and_log_level_when_json_logging(traffic: Stack, seen: Any) -> None:
    assert not {"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL"} & seen.keys()
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    arn = traffic.make(SOURCE, LoggingConfig=config)
    found = run(traffic, arn, "result = dict(os.environ)").result
    assert (found["AWS_LAMBDA_LOG_FORMAT"], found["AWS_LAMBDA_LOG_LEVEL"]) == ("JSON", "WARN")


# The context object


def test_python_context_names_version_arn_memory_limit_as_string_and_request_id(
    traffic: Stack, function: str, name: str
) -> None:
    members = (
        *("function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb"),
        *("aws_request_id", "log_group_name", "log_stream_name"),
    )
    invoked = run(traffic, function, f"result = [getattr(context, n) for n in {members}]")
    *found, stream = invoked.result
    group = f"/aws/lambda/{name}"
    assert found == [name, "$LATEST", function, "256", invoked.request_id, group]
    assert re.fullmatch(LOG_STREAM, stream)


def test_python_context_of_an_alias_is_the_arn_as_invoked_and_the_resolved_version(
    traffic: Stack, function: str
) -> None:
    version = traffic.functions.publish_version(FunctionName=function)["Version"]
    traffic.functions.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    code = "result = [context.invoked_function_arn, context.function_version]"
    assert run(traffic, f"{function}:live", code).result == [f"{function}:live", version]


def test_python_context_identity_and_client_context(traffic: Stack, function: str) -> None:
    code = (
        "i, c = context.identity, context.client_context\n"
        "result = [i.cognito_identity_id, i.cognito_identity_pool_id, c and c.custom, "
        "c and c.client.installation_id, c and c.env]"
    )
    assert run(traffic, function, code).result == [None] * 5
    given = {"custom": {"a": 1}, "client": {"installation_id": "x"}, "env": {"make": "y"}}
    text = base64.b64encode(json.dumps(given).encode()).decode()
    expected = [None, None, {"a": 1}, "x", {"make": "y"}]
    assert run(traffic, function, code, ClientContext=text).result == expected


def test_python_context_get_remaining_time_in_millis_counts_down(
    traffic: Stack, function: str
) -> None:
    code = (
        "first = context.get_remaining_time_in_millis(); time.sleep(0.25)\n"
        "result = [first, context.get_remaining_time_in_millis()]"
    )
    run(traffic, function, code)  # not a cold start
    first, second = run(traffic, function, code).result
    assert 6000 < first <= 7000
    assert 250 <= first - second < 1500


def test_node_context_all_members(node: tuple[str, Any, str]) -> None:
    arn, found, request_id = node
    context = found["context"]
    name = arn.rpartition(":")[2]
    assert context["functionName"] == name
    assert context["functionVersion"] == "$LATEST"
    assert context["invokedFunctionArn"] == arn
    assert context["memoryLimitInMB"] == "192"
    assert context["awsRequestId"] == request_id
    assert context["logGroupName"] == f"/aws/lambda/{name}"
    assert re.fullmatch(LOG_STREAM, context["logStreamName"])
    assert context["callbackWaitsForEmptyEventLoop"] is True
    assert context["clientContext"] == {"custom": {"a": "b"}}
    assert "getRemainingTimeInMillis" in found["methods"]
    assert 5000 < found["left"] <= 7000


def test_node_environment_node_path_and_execution_env(node: tuple[str, Any, str]) -> None:
    found = node[1]["env"]
    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs20.x"
    assert found["NODE_PATH"].startswith("/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules")
    assert (found["TZ"], found["LANG"]) == (":UTC", "en_US.UTF-8")
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "192"
    assert re.fullmatch(r"Root=1-.*;Parent=.*;Sampled=0", found["_X_AMZN_TRACE_ID"])


def test_the_deadline_is_kept_to_the_function_timeout(traffic: Stack, function: str) -> None:
    before = time.time()
    ends = run(traffic, function, "result = context._epoch_deadline_time_in_ms / 1000").result
    assert before + 7 - 0.001 <= ends <= time.time() + 7
