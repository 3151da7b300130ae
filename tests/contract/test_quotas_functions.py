"""Quotas of Lambda, row by row. Source: Lambda guide, "Lambda quotas"."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest

from tests.support.account import OPERATIONS, Account
from tests.support.invoking import SOURCE, run
from tests.support.rules import refused
from tests.support.server import serve
from tests.support.stack import Stack

MB = 1024 * 1024


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(OPERATIONS) as url:
        yield url


@pytest.fixture
def account(url: str) -> Account:
    return Account(url)


@pytest.fixture(scope="module")
def function(traffic: Stack) -> str:
    return traffic.make(SOURCE, Timeout=10)


def test_concurrent_executions_1000_a_region_100_must_stay_unreserved(account: Account) -> None:
    one, other = account.function(), account.function()
    put = account.functions.put_function_concurrency
    limit = account.functions.get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == limit["UnreservedConcurrentExecutions"] == 1000
    put(FunctionName=one, ReservedConcurrentExecutions=900)
    limit = account.functions.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == 100
    for name, count in ((one, 901), (other, 1)):
        assert refused(put, FunctionName=name, ReservedConcurrentExecutions=count) == (
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100].",
        )
    put(FunctionName=other, ReservedConcurrentExecutions=0)


def test_code_50_mb_zip_upload(account: Account) -> None:
    function = account.function()
    limit = 70_167_211  # of the request, which has the zip in Base64
    for size, said in {
        50 * MB + 1: "Zipped size must be smaller than 52428800 bytes",
        limit * 3 // 4 + 3: f"Request must be smaller than {limit} bytes for the "
        "UpdateFunctionCode operation",
    }.items():
        code, message = refused(
            account.functions.update_function_code, FunctionName=function, ZipFile=bytes(size)
        )
        assert (code, message) == ("RequestEntityTooLargeException", said)


def test_code_250_mb_unzipped(account: Account) -> None:
    def sized(size: int) -> dict[str, bytes]:
        archive = io.BytesIO()
        with (
            zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
            file.open("app.py", "w", force_zip64=True) as entry,
        ):
            entry.write(bytes(size))
        return {"ZipFile": archive.getvalue()}

    code, message = refused(account.function, Code=sized(250 * MB + 1))
    assert code == "InvalidParameterValueException"
    assert message.startswith("Unzipped size must be smaller than 262144000 bytes")
    settings = account.functions.get_account_settings()["AccountLimit"]
    assert settings["CodeSizeUnzipped"] == 250 * MB
    assert settings["CodeSizeZipped"] == 50 * MB


def test_env_vars_4_kb(account: Account) -> None:
    room = 4096 - len('{"KEY":""}')
    account.function(Environment={"Variables": {"KEY": "x" * room}})
    variables = {"KEY": "x" * (room + 1)}
    code, message = refused(account.function, Environment={"Variables": variables})
    assert code == "InvalidParameterValueException"
    assert "exceeded the 4KB limit" in message
    assert message.endswith(json.dumps(variables, separators=(",", ":")))


def test_policy_20_kb_policy_length_exceeded_exception(account: Account) -> None:
    function = account.function()
    add = account.functions.add_permission
    given = {
        "FunctionName": function,
        "Action": "lambda:InvokeFunction",
        "Principal": "elasticloadbalancing.amazonaws.com",
    }
    for n in range(2):
        add(StatementId=f"s{n}", SourceArn="arn:aws:s3:::" + "b" * 9000, **given)
    before = len(account.functions.get_policy(FunctionName=function)["Policy"])
    frame = add(StatementId="probe", SourceArn="arn:aws:s3:::", **given)["Statement"]
    account.functions.remove_permission(FunctionName=function, StatementId="probe")
    room = 20_480 - before - len(frame) - len(",")
    over = {"StatementId": "probe", "SourceArn": "arn:aws:s3:::" + "b" * (room + 1)}
    assert refused(add, **over, **given) == (
        "PolicyLengthExceededException",
        "The final policy size (20481) is bigger than the limit (20480).",
    )
    add(StatementId="probe", SourceArn="arn:aws:s3:::" + "b" * room, **given)
    assert len(account.functions.get_policy(FunctionName=function)["Policy"]) == 20_480


def test_layers_5(account: Account) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("python/x.py", "")
    publish = account.functions.publish_layer_version
    arns = [
        publish(LayerName=f"l{n}", Content={"ZipFile": archive.getvalue()})["LayerVersionArn"]
        for n in range(6)
    ]
    account.function(Layers=arns[:5])
    assert refused(account.function, Layers=arns) == (
        "InvalidParameterValueException",
        "Cannot reference more than 5 layers.",
    )


def test_file_descriptors_1024(traffic: Stack, function: str) -> None:
    code = """
import resource
result, opened = [resource.getrlimit(resource.RLIMIT_NOFILE)], []
try:
    while len(opened) < 2000:
        opened.append(open("/dev/null"))
except OSError as error:
    result += [opened[-1].fileno(), error.strerror]
"""
    limits, last, error = run(traffic, function, code).result
    assert limits == [1024, 1024]
    assert last == 1023
    assert error == "Too many open files"


def test_sync_payload_6_mb_each_way(traffic: Stack, function: str) -> None:
    code = "result = 'x' * (6 * 1024 * 1024 - 2)"
    payload = json.dumps({"run": code, "padding": ""})
    fits = payload[:-2] + "p" * (6 * MB - len(payload)) + payload[-2:]
    invoke = traffic.functions.invoke
    answer = invoke(FunctionName=function, Payload=fits)
    assert len(answer["Payload"].read()) == len(fits) == 6 * MB
    code, _ = refused(invoke, FunctionName=function, Payload=fits + " ")
    assert code == "RequestTooLargeException"
