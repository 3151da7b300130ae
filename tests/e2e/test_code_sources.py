"""Code and layers through the real server: from archives, from S3, from a directory."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.aws_command import aws
from tests.support.command import Server, make_function, place, serving, zipped
from tests.support.objects import Objects
from tests.support.stack import Stack, forward

USES_LAYERS = """
import inlayer

def handler(event, context):
    return {"statusCode": 200, "body": inlayer.text}
"""


@pytest.fixture(scope="module")
def server(traffic: Stack, objects: Objects) -> Server:
    objects.put("bucket", "inlayer.zip", zipped("text = 'from S3'", "python/inlayer.py"))
    return traffic.server


def serve(stack: Stack, function: str) -> Callable[[], str]:
    """Return what asks a load balancer in front of the function."""
    front = stack.front(forward(stack.group(function=function)))
    return lambda: front.get().body.decode()


def publish(server: Server, name: str, **content: Any) -> str:
    arn: str = server.client("lambda").publish_layer_version(LayerName=name, Content=content)[
        "LayerVersionArn"
    ]
    return arn


def cli(server: Server, *arguments: str) -> Any:
    """Run a command of the AWS CLI and return what it prints."""
    status, out, err = aws("lambda", *arguments, url=server.url)
    assert status == 0, err
    return json.loads(out) if out else None


def test_layers_reach_requests_and_a_change_of_them_the_next_one(
    server: Server, traffic: Stack
) -> None:
    old = publish(server, "lib", ZipFile=zipped("text = 'old'", "python/inlayer.py"))
    new = publish(server, "lib", S3Bucket="bucket", S3Key="inlayer.zip")
    function = traffic.make(USES_LAYERS, Layers=[old])
    ask = serve(traffic, function)
    assert ask() == "old"
    functions = server.client("lambda")
    functions.delete_layer_version(LayerName="lib", VersionNumber=1)
    functions.update_function_configuration(FunctionName=function, Timeout=5)
    assert ask() == "old"
    functions.update_function_configuration(FunctionName=function, Layers=[new])
    assert ask() == "from S3"


def test_the_aws_cli_publishes_layers_and_code_downloads(server: Server, tmp_path: Path) -> None:
    archive = tmp_path / "layer.zip"
    archive.write_bytes(zipped("text = 'cli'", "python/inlayer.py"))
    made = cli(
        server,
        *("publish-layer-version", "--layer-name", "cli", "--zip-file", f"fileb://{archive}"),
        *("--compatible-runtimes", "python3.11", "--license-info", "MIT"),
    )
    arn = made["LayerVersionArn"]
    shown = cli(server, "get-layer-version-by-arn", "--arn", arn)
    with urllib.request.urlopen(shown["Content"]["Location"]) as answer:
        assert answer.read() == archive.read_bytes()
    make_function(server, "cli", USES_LAYERS, Layers=[arn])
    found = cli(server, "get-function", "--function-name", "cli")
    assert [layer["Arn"] for layer in found["Configuration"]["Layers"]] == [arn]
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        assert answer.headers["Content-Type"] == "application/zip"
        assert len(answer.read()) == found["Configuration"]["CodeSize"]


def test_code_of_the_bucket_hot_reload_is_new_with_the_next_request(
    traffic: Stack, tmp_path: Path
) -> None:
    def write(text: str) -> None:
        body = f"def handler(event, context): return {{'statusCode': 200, 'body': {text!r}}}"
        (tmp_path / "app.py").write_text(body)

    write("one")
    function = traffic.make("", Code={"S3Bucket": "hot-reload", "S3Key": str(tmp_path)})
    ask = serve(traffic, function)
    assert ask() == "one"
    write("another")
    assert ask() == "another"
    with pytest.raises(ClientError, match=r"NotImplemented.*may change at any time"):
        traffic.functions.publish_version(FunctionName=function)


def test_hot_reload_can_be_turned_off() -> None:
    with place() as where:
        where.variables["ALBATROSS_HOT_RELOAD"] = "never"
        with serving(where) as strict, pytest.raises(ClientError, match="AccessDenied"):
            make_function(strict, "hot", "", Code={"S3Bucket": "hot-reload", "S3Key": "/"})
