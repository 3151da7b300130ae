"""Packaging of functions, and asynchronous invocation, row by row.

Sources: Lambda guide, "Lambda runtimes", "Managing Lambda dependencies with layers", "How Lambda
handles errors and retries with asynchronous invocation"; Lambda API, `CreateFunction`.
"""

import io
import json
import sys
import zipfile
from typing import Any

import pytest

from tests.support.account import OPERATIONS, Account
from tests.support.command import until
from tests.support.invoking import BOOTSTRAP, SOURCE, executable, invoke, run
from tests.support.node import NODE
from tests.support.rules import refused
from tests.support.server import serve
from tests.support.stack import Stack

RUNTIMES = (
    *("python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"),
    *("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"),
    *("java11", "java17", "java21", "java25", "dotnet8", "dotnet10"),
    *("ruby3.2", "ruby3.3", "ruby3.4", "provided.al2", "provided.al2023"),
)
ANSWER = "def {}(event, context): return [__name__, '{}']\n"
NODE_FILES = {
    "index.js": "exports.handler = async () => 'commonjs'",
    "module.mjs": "export const handler = async () => 'module'",
    "deep/er.js": "exports.handler = (event, context, done) => done(null, 'callback')",
}


def archive(files: dict[str, str]) -> dict[str, bytes]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return {"ZipFile": content.getvalue()}


@pytest.fixture(scope="module")
def api(traffic: Stack) -> Any:
    return traffic.functions


def test_runtimes_current_and_no_other() -> None:
    with serve(OPERATIONS) as url:
        account = Account(url)
        for runtime in RUNTIMES:
            arn = account.function(Runtime=runtime)
            shown = account.functions.get_function_configuration(FunctionName=arn)
            assert shown["Runtime"] == runtime
        code, message = refused(account.function, Runtime="cobol85")
    assert code == "InvalidParameterValueException"
    assert message.startswith("Value cobol85 at 'runtime' failed to satisfy constraint: ")


def test_provided_executable_bootstrap_in_the_package_root_or_a_layer(
    traffic: Stack, api: Any
) -> None:
    layer = api.publish_layer_version(
        LayerName=traffic.name(), Content={"ZipFile": executable(BOOTSTRAP)}
    )["LayerVersionArn"]
    in_layer = traffic.make("", Runtime="provided.al2023", Layers=[layer])
    in_root = traffic.make("", Runtime="provided.al2", Code={"ZipFile": executable(BOOTSTRAP)})
    for arn in (in_layer, in_root):
        assert run(traffic, arn, "result = os.environ['_HANDLER']").result == "app.handler"


@pytest.mark.parametrize(
    ("handler", "module"),
    [
        ("app.handler", "app"),
        ("pkg/mod.fn", "pkg.mod"),
        ("pkg.mod.fn", "pkg.mod"),
        ("pkg/sub/deep.fn", "pkg.sub.deep"),
    ],
)
def test_handler_file_method_python_pkg_mod_fn_with_slash_or_dot(
    traffic: Stack, api: Any, handler: str, module: str
) -> None:
    files = {
        "app.py": ANSWER.format("handler", "app"),
        "pkg/__init__.py": "",
        "pkg/mod.py": ANSWER.format("fn", "mod"),
        "pkg/sub/deep.py": ANSWER.format("fn", "deep"),
    }
    arn = traffic.make("", Code=archive(files), Handler=handler)
    assert invoke(traffic, arn, {}).result == [module, module.rpartition(".")[2]]


def test_modules_named_like_those_of_python_do_not_harm_the_runtime(
    traffic: Stack, api: Any
) -> None:
    wrong = "raise ImportError('not this one')"
    layer = api.publish_layer_version(
        LayerName=traffic.name(),
        Content=archive({"python/json.py": wrong, "python/random.py": wrong, "python/two.py": ""}),
    )
    files = {
        "json.py": wrong,
        "random.py": "own = True",
        "app.py": "import json, random, sys, two\n"
        "def handler(event, context): return [json.dumps([1]), random.own, sys.path[0]]\n",
    }
    arn = traffic.make(
        "", Code=archive(files), Handler="app.handler", Layers=[layer["LayerVersionArn"]]
    )
    assert invoke(traffic, arn, {}).result == ["[1]", True, "/var/task"]


@pytest.mark.skipif(NODE is None, reason="node is not on the PATH")
@pytest.mark.parametrize(
    ("handler", "expected"),
    [("index.handler", "commonjs"), ("module.handler", "module"), ("deep/er.handler", "callback")],
)
def test_handler_file_method_node(traffic: Stack, handler: str, expected: str) -> None:
    arn = traffic.make("", Code=archive(NODE_FILES), Handler=handler, Runtime="nodejs20.x")
    assert invoke(traffic, arn, {}).result == expected


@pytest.mark.parametrize("handler", ["h" * 129, "a b", ""])
def test_handler_up_to_128_chars_no_spaces(traffic: Stack, handler: str) -> None:
    traffic.make("", Handler="h" * 128)
    code, message = refused(traffic.make, source="", Handler=handler)
    assert code in ("ValidationException", "InvalidParameterValueException")
    assert "andler" in message


def test_layers_merged_in_order_into_opt(traffic: Stack, api: Any) -> None:
    layers = [
        api.publish_layer_version(
            LayerName=traffic.name(), Content=archive({"both": str(n), f"own{n}": str(n)})
        )["LayerVersionArn"]
        for n in range(2)
    ]
    arn = traffic.make(SOURCE, Layers=layers)
    code = "result = [open('/opt/both').read(), open('/opt/own0').read(), open('/opt/own1').read()]"
    assert run(traffic, arn, code).result == ["1", "0", "1"]
    shown = api.get_function_configuration(FunctionName=arn)["Layers"]
    assert [each["Arn"] for each in shown] == layers


def test_container_image_is_not_there_yet(traffic: Stack) -> None:
    image = {"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:latest"}
    code, _ = refused(traffic.make, source="", PackageType="Image", Code=image)
    assert code == "NotImplemented"


def test_memory_default_128_architectures_x86_64_default_or_arm64(traffic: Stack, api: Any) -> None:
    shown = api.get_function_configuration(FunctionName=traffic.make(SOURCE))
    assert (shown["MemorySize"], shown["Timeout"]) == (128, 3)
    assert shown["Architectures"] == ["x86_64"]
    assert shown["EphemeralStorage"] == {"Size": 512}
    arn = traffic.make(SOURCE, Architectures=["arm64"])
    assert api.get_function_configuration(FunctionName=arn)["Architectures"] == ["arm64"]
    code, _ = refused(traffic.make, source="", Architectures=["sparc"])
    assert code == "ValidationException"


@pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")
def test_tmp_is_as_large_as_the_ephemeral_storage(traffic: Stack) -> None:
    arn = traffic.make(SOURCE, MemorySize=1024, Timeout=20)
    code = """
block, written = b"x" * (1 << 20), 0
try:
    with open("/tmp/large", "wb", buffering=0) as file:
        while written < 600:
            if file.write(block) < len(block):
                break
            written += 1
except OSError as error:
    result = error.strerror
os.remove("/tmp/large")
result = [written, result]
"""
    written, error = run(traffic, arn, code).result
    assert 490 <= written <= 512
    assert error in (None, "No space left on device")


def test_function_states_pending_then_active_last_update_in_progress_then_successful(
    traffic: Stack, api: Any
) -> None:
    made = api.create_function(
        FunctionName=traffic.name(),
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Role="arn:aws:iam::123456789012:role/any",
        Code=archive({"app.py": SOURCE}),
    )
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    name = made["FunctionName"]
    shown = api.get_function_configuration(FunctionName=name)
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Successful")
    changed = api.update_function_configuration(FunctionName=name, Timeout=5)
    assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
    shown = api.get_function_configuration(FunctionName=name)
    assert shown["LastUpdateStatus"] == "Successful"


# Asynchronous invocation


def test_event_202_at_once_and_the_function_runs(traffic: Stack, api: Any) -> None:
    arn = traffic.make(SOURCE)
    payload = json.dumps({"run": "print('ran as', context.aws_request_id)"})
    answer = api.invoke(FunctionName=arn, InvocationType="Event", Payload=payload)
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    id_ = answer["ResponseMetadata"]["RequestId"]
    logs, group = traffic.server.client("logs"), f"/aws/lambda/{arn.rpartition(':')[2]}"

    def has_run() -> bool:
        try:
            found = logs.filter_log_events(logGroupName=group, filterPattern=f'"ran as {id_}"')
        except logs.exceptions.ResourceNotFoundException:
            return False
        return bool(found["events"])

    until(has_run)


def test_event_invoke_config_defaults_are_shown_as_given(traffic: Stack, api: Any) -> None:
    arn = traffic.make(SOURCE)
    code, _ = refused(api.get_function_event_invoke_config, FunctionName=arn)
    assert code == "ResourceNotFoundException"
    api.put_function_event_invoke_config(
        FunctionName=arn, MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60
    )
    shown = api.get_function_event_invoke_config(FunctionName=arn)
    assert (shown["MaximumRetryAttempts"], shown["MaximumEventAgeInSeconds"]) == (1, 60)
    assert shown["FunctionArn"] == f"{arn}:$LATEST"
