"""Functions that use an AWS SDK as they do on AWS: it finds the services of this server."""

import json
from typing import Any

import pytest

from albatross.aws.service import SERVICES, service
from albatross.config import Config
from albatross.host.__main__ import api_url
from albatross.host.local import variables
from tests.support.command import make_function
from tests.support.stack import Stack

CALLER = """
import json, os

import boto3

def handler(event, context):
    if event["do"] == "look":
        return {name: url for name, url in os.environ.items() if "ENDPOINT" in name}
    if event["do"] == "who":
        return boto3.client("sts").get_caller_identity()["Account"]
    functions = boto3.client("lambda")
    if event["do"] == "invoke":
        payload = json.dumps(event["payload"])
        answer = functions.invoke(FunctionName=event["function"], Payload=payload)
        return {"status": answer["StatusCode"], "payload": json.load(answer["Payload"])}
    return functions.get_function_configuration(FunctionName=context.function_name)["Timeout"]
"""
DOUBLES = "def handler(event, context):\n    return 2 * event\n"


def call(traffic: Stack, name: str, do: str, **more: object) -> Any:
    payload = json.dumps({"do": do, **more})
    answer = traffic.functions.invoke(FunctionName=name, Payload=payload)
    found = json.load(answer["Payload"])
    assert "FunctionError" not in answer, found
    return found


def test_a_function_invokes_another_by_its_name(traffic: Stack) -> None:
    caller, doubles = traffic.name(), traffic.name()
    make_function(traffic.server, caller, CALLER, Timeout=20)
    make_function(traffic.server, doubles, DOUBLES)
    answer = call(traffic, caller, "invoke", function=doubles, payload=21)
    assert answer == {"status": 200, "payload": 42}
    assert call(traffic, caller, "itself") == 20
    assert call(traffic, caller, "who") == "123456789012"


def test_an_endpoint_of_the_users_own_is_the_only_one(traffic: Stack) -> None:
    caller, url = traffic.name(), "http://127.0.0.1:9"
    own = {"Variables": {"AWS_ENDPOINT_URL": url}}
    make_function(traffic.server, caller, CALLER, Timeout=20, Environment=own)
    assert call(traffic, caller, "look") == {"AWS_ENDPOINT_URL": url}


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        pytest.param({"port": 1234}, "http://127.0.0.1:1234", id="this machine"),
        pytest.param({"port": 1, "bind": "0.0.0.0"}, "http://127.0.0.1:1", id="any address"),
        pytest.param({"port": 1, "bind": "::"}, "http://[::1]:1", id="any, IPv6"),
        pytest.param({"port": 1, "bind": "10.0.0.1"}, "http://10.0.0.1:1", id="one address"),
        pytest.param({"auth": "keys"}, "", id="keys that functions do not have"),
        pytest.param({"function_endpoints": False}, "", id="turned off"),
    ],
)
def test_where_functions_find_the_api(settings: dict[str, Any], url: str) -> None:
    assert api_url(json.loads(Config(**settings).to_json())) == url


def test_every_service_of_this_server_has_its_variable() -> None:
    ids = {service(name).model.service_id for name in SERVICES}
    expected = {each.upper().replace(" ", "_") for each in ids}
    assert set(variables.SERVICE_IDS) == expected
