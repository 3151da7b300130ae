"""Code and layers through the real server: from archives, from S3, from a directory."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.support.command import Server, get, make_function, place, serve_function, serving, zipped
from tests.support.server import client

USES_LAYERS = """
import inlayer

def handler(event, context):
    return {"statusCode": 200, "body": inlayer.text}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    host, port = s3.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    bucket = client("s3", endpoint)
    bucket.create_bucket(Bucket="bucket")
    for name, source in (("app.py", "far"), ("python/inlayer.py", "text = 'from S3'")):
        bucket.put_object(Bucket="bucket", Key=name, Body=zipped(source, name), ACL="public-read")
    with place() as where:
        where.variables |= {"ALBATROSS_S3_ENDPOINT": endpoint}
        with serving(where) as server:
            yield server
    s3.stop()


def publish(server: Server, name: str, **content: Any) -> str:
    arn: str = server.client("lambda").publish_layer_version(LayerName=name, Content=content)[
        "LayerVersionArn"
    ]
    return arn


def cli(server: Server, *arguments: str) -> Any:
    """Run a command of the AWS CLI and return what it prints."""
    command = [sys.executable, "-m", "awscli", "--endpoint-url", server.url, "lambda", *arguments]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = server.place.environment() | keys | {"AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout else None


def test_layers_reach_requests_and_a_change_of_them_the_next_one(server: Server) -> None:
    old = publish(server, "lib", ZipFile=zipped("text = 'old'", "python/inlayer.py"))
    new = publish(server, "lib", S3Bucket="bucket", S3Key="python/inlayer.py")
    port = serve_function(server, "layered", USES_LAYERS, Layers=[old])
    assert get(port) == (200, "old")
    functions = server.client("lambda")
    functions.delete_layer_version(LayerName="lib", VersionNumber=1)
    functions.update_function_configuration(FunctionName="layered", Timeout=5)
    assert get(port) == (200, "old")
    functions.update_function_configuration(FunctionName="layered", Layers=[new])
    assert get(port) == (200, "from S3")


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
    server: Server, tmp_path: Path
) -> None:
    def write(text: str) -> None:
        body = f"def handler(event, context): return {{'statusCode': 200, 'body': {text!r}}}"
        (tmp_path / "app.py").write_text(body)

    write("one")
    port = serve_function(
        server, "hot", "", Code={"S3Bucket": "hot-reload", "S3Key": str(tmp_path)}
    )
    assert get(port) == (200, "one")
    write("another")
    assert get(port) == (200, "another")
    with pytest.raises(ClientError, match=r"NotImplemented.*may change at any time"):
        server.client("lambda").publish_version(FunctionName="hot")


def test_hot_reload_can_be_turned_off(server: Server) -> None:
    with place() as where:
        where.variables["ALBATROSS_HOT_RELOAD"] = "never"
        with serving(where) as strict, pytest.raises(ClientError, match="AccessDenied"):
            make_function(strict, "hot", "", Code={"S3Bucket": "hot-reload", "S3Key": "/"})
