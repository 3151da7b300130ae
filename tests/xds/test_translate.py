"""Snapshot -> Envoy resources, as pairs of files in tests/golden.

`UPDATE_GOLDEN=1 pytest tests/xds/test_translate.py` writes the outputs anew: read the difference.
"""

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

# The messages inside of Any must be known to print them.
from envoy.extensions.filters.network.http_connection_manager.v3 import (  # isort: skip
    http_connection_manager_pb2,  # noqa: F401
)

from albatross.model.rule import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HostHeader,
    HostHeaderRewrite,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    Redirect,
    SourceIp,
    UrlRewrite,
    WeightedTargetGroup,
)
from albatross.model.snapshot import Snapshot
from albatross.xds import listener, shortcut
from albatross.xds.translate import Binding, DanglingName, Resources, translate
from tests.support.envoy import TARGET_GROUP, Balancer, to_snapshot

GOLDEN = Path(__file__).parent.parent / "golden"
SCRIPTS = Path(listener.__file__).parent / "lua"
CONDITIONS: dict[str, Any] = {
    "host-header": HostHeader,
    "path-pattern": PathPattern,
    "http-header": HttpHeader,
    "http-request-method": HttpRequestMethod,
    "query-string": QueryString,
    "source-ip": SourceIp,
}
ACTIONS: dict[str, Any] = {
    "forward": Forward,
    "redirect": Redirect,
    "fixed-response": FixedResponse,
}
TRANSFORMS = {"host-header-rewrite": HostHeaderRewrite, "url-rewrite": UrlRewrite}


def printable(message: Message) -> Any:
    """The message as YAML shows it, without the scripts, which are files of their own."""
    text = MessageToJson(message)
    for path in SCRIPTS.glob("*.lua"):
        text = text.replace(json.dumps(path.read_text()), json.dumps(path.name))
    return json.loads(text)


def to_condition(kind: str, document: Any) -> Condition:
    """The condition that a list of values, or a mapping of its members, says."""
    members = document if isinstance(document, dict) else {"values": document}
    members = {k: tuple(v) if isinstance(v, list) else v for k, v in members.items()}
    if kind == "query-string":
        members["values"] = tuple(QueryParameter(**one) for one in members["values"])
    condition: Condition = CONDITIONS[kind](**members)
    return condition


def to_action(document: dict[str, Any]) -> Action:
    ((kind, members),) = document.items()
    if kind == "forward" and not members:
        return Forward.to(TARGET_GROUP)
    if kind == "forward":
        weights = members.pop("weights")
        groups = tuple(WeightedTargetGroup(arn=TARGET_GROUP, weight=one) for one in weights)
        members["target_groups"] = groups
    action: Action = ACTIONS[kind](**members)
    return action


def to_balancer(document: dict[str, Any]) -> Balancer:
    rules = [
        (
            tuple(to_condition(kind, values) for kind, values in rule["when"].items()),
            to_action(rule["then"]),
        )
        for rule in document.get("rules", [])
    ]
    return Balancer(
        transforms={
            10 * n: tuple(TRANSFORMS[kind](**one) for kind, one in rule["transforms"].items())
            for n, rule in enumerate(document.get("rules", []), 1)
            if "transforms" in rule
        },
        name=document["name"],
        port=document["port"],
        rules=rules,
        default=to_action(document["default"]),
        attributes=document.get("attributes", {}),
    )


def resources_of(*balancers: Balancer, bindings: dict[str, Binding] | None = None) -> Resources:
    if bindings is None:
        bindings = {one.listener_arn: Binding("127.0.0.1", 8080) for one in balancers}
    return translate(
        to_snapshot(*balancers),
        bindings,
        lambda_socket="/run/lambda.sock",
        lambda_idle_timeout=True,
    )


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("xds-*.in.yaml")), ids=lambda path: path.name)
def test_resources_are_the_golden_ones(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "library", lambda: None)  # not everywhere, nor in one place
    document = yaml.safe_load(path.read_text())
    resources = resources_of(*map(to_balancer, document["balancers"]))
    actual = yaml.safe_dump(
        {
            kind: {name: printable(one) for name, one in getattr(resources, kind).items()}
            for kind in document["show"]
        },
        width=100,
    )
    golden = path.with_name(path.name.replace(".in.", ".out."))
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(actual)
    assert actual == golden.read_text()


def test_the_same_snapshot_gives_the_same_bytes() -> None:
    def packed() -> list[bytes]:
        resources = resources_of(Balancer(default=Redirect(status_code=301, host="b")))
        return [
            one.SerializeToString(deterministic=True)
            for kind in (resources.listeners, resources.routes, resources.clusters)
            for one in kind.values()
        ]

    assert packed() == packed()


def test_a_changed_rule_or_attribute_leaves_the_listener_as_it_is() -> None:
    before = resources_of(Balancer())
    after = resources_of(
        Balancer(
            rules=[((PathPattern(values=("/x",)),), FixedResponse(status_code=200))],
            attributes={
                "routing.http.xff_header_processing.mode": "remove",
                "routing.http.preserve_host_header.enabled": "true",
                "routing.http.drop_invalid_header_fields.enabled": "true",
            },
        )
    )
    assert before.routes != after.routes
    assert before.listeners == after.listeners


def test_a_listener_without_a_binding_is_left_out() -> None:
    assert resources_of(Balancer(), bindings={}).listeners == {}


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param({"target_groups": ()}, id="target group"),
        pytest.param({"listeners": ()}, id="listener"),
        pytest.param({"load_balancers": ()}, id="load balancer"),
        pytest.param({"by_listener": {}}, id="default rule"),
    ],
)
def test_a_dangling_name_is_refused(missing: dict[str, tuple[()]]) -> None:
    whole = to_snapshot(Balancer())
    parts = {one.name: getattr(whole, one.name) for one in fields(whole) if one.init} | missing
    bindings = {Balancer().listener_arn: Binding("127.0.0.1", 80)}
    with pytest.raises(DanglingName):
        translate(Snapshot(**parts), bindings, lambda_socket="s", lambda_idle_timeout=True)
