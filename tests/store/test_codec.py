"""Every resource is the same after a round trip through its document."""

import json
from datetime import UTC, datetime

import pytest

from albatross.model.certificate import Certificate, Facts
from albatross.model.function import Directory, Function, Package, Secrets, Statement, UsedLayer
from albatross.model.layer import LayerVersion
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer, Zone
from albatross.model.rule import (
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
    Rule,
    SourceIp,
    UrlRewrite,
    WeightedTargetGroup,
)
from albatross.model.target_group import HealthCheck, Target, TargetGroup
from albatross.model.version import Alias, Provisioned, Version
from albatross.store import codec

NOW = datetime(2026, 7, 10, 12, 30, 1, 123456, tzinfo=UTC)


def function(**fields):
    given = {
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "name": "f",
        "runtime": "python3.12",
        "handler": "app.handler",
        "role": "arn:aws:iam::123456789012:role/r",
        "code": Package(sha256="abc=", size=3),
        "last_modified": NOW,
        "revision_id": "r",
    }
    return Function(**given | fields)


RESOURCES = [
    pytest.param(
        LoadBalancer(
            arn="a",
            name="web",
            dns_name="web-1.us-east-1.elb.localhost",
            scheme="internal",
            ip_address_type="ipv4",
            zones=(Zone(subnet_id="subnet-1", name="us-east-1a"),),
            security_groups=("sg-1",),
            vpc_id="vpc-1",
            created_at=NOW,
            slot=0,
            attributes={"idle_timeout.timeout_seconds": "60"},
        ),
        id="load balancer",
    ),
    pytest.param(Listener(arn="a", load_balancer_arn="b", port=80, protocol="HTTP"), id="listener"),
    pytest.param(
        Rule(
            arn="a",
            listener_arn="b",
            priority=5,
            conditions=(HostHeader(values=("*.example.com",)), PathPattern(values=("/a", "/b"))),
            action=Redirect(status_code=301, query=""),
        ),
        id="rule that redirects",
    ),
    pytest.param(
        Rule(
            arn="a",
            listener_arn="b",
            priority=1,
            conditions=(PathPattern(values=("/é\u2028\x01",)),),
            action=FixedResponse(status_code=200, message_body='"<&\\'),
        ),
        id="rule with a fixed response of odd characters",
    ),
    pytest.param(
        Rule(
            arn="a",
            listener_arn="b",
            priority=None,
            conditions=(),
            action=Forward.to("g"),
        ),
        id="default rule that forwards",
    ),
    pytest.param(
        Rule(
            arn="a",
            listener_arn="b",
            priority=7,
            conditions=(
                HttpHeader(header_name="X-A", regex_values=("^b$",)),
                HttpRequestMethod(values=("GET",)),
                QueryString(values=(QueryParameter(value="v"), QueryParameter(key="k", value="*"))),
                SourceIp(values=("10.0.0.0/8",)),
            ),
            action=Forward(
                target_groups=(
                    WeightedTargetGroup(arn="g"),
                    WeightedTargetGroup(arn="h", weight=0),
                ),
                is_sticky=True,
                stickiness_s=60,
            ),
            transforms=(
                HostHeaderRewrite(regex="a", replace="b"),
                UrlRewrite(regex="c", replace="$1"),
            ),
        ),
        id="rule of everything else",
    ),
    pytest.param(
        TargetGroup(
            arn="a",
            name="g",
            target_type="lambda",
            health_check=HealthCheck(enabled=True, interval_s=60),
            targets=(Target(id="arn:aws:lambda:us-east-1:123456789012:function:f"),),
        ),
        id="target group",
    ),
    pytest.param(
        function(
            environment=Secrets({"TOKEN": "hidden"}),
            policy=(Statement(sid="s", action="lambda:InvokeFunction", principal="*"),),
            extra={"Layers": [{"Arn": "x", "CodeSize": 1}], "TracingConfig": {"Mode": "Active"}},
        ),
        id="function of a package",
    ),
    pytest.param(function(code=Directory(path="/srv/app")), id="function of a directory"),
    pytest.param(
        Version(
            arn="a:1",
            function=function(environment=Secrets({"TOKEN": "hidden"})).snapshot("1"),
            description="first",
            provisioned=Provisioned(executions=2, last_modified=NOW),
        ),
        id="version",
    ),
    pytest.param(
        Alias(
            arn="a:live",
            name="live",
            function_arn="a",
            version="1",
            revision_id="r",
            weights={"2": 0.25},
            policy=(Statement(sid="s", action="lambda:InvokeFunction", principal="*"),),
        ),
        id="alias",
    ),
    pytest.param(
        Certificate(
            arn="a",
            type="AMAZON_ISSUED",
            facts=Facts(
                domain_name="*.example.com",
                names=("*.example.com", "example.com"),
                key_algorithm="RSA_2048",
                signature_algorithm="SHA256WITHECDSA",
                serial="01:02",
                subject="CN=*.example.com",
                issuer="Albatross",
                not_before=NOW,
                not_after=NOW,
                key_usages=("DIGITAL_SIGNATURE",),
                extended_key_usages={"1.3.6.1.5.5.7.3.1": "TLS_WEB_SERVER_AUTHENTICATION"},
            ),
            pem="-----BEGIN CERTIFICATE-----\n",
            chain="",
            key_id="0" * 32,
            created_at=NOW,
            renewed_at=NOW,
            validation_domains={"*.example.com": "example.com"},
        ),
        id="certificate",
    ),
]


def test_a_forward_to_one_target_group_is_read_as_it_was_once_written():
    group = {"type": "Forward", "target_group_arn": "g", "weight": 5, "order": 1}
    document = {"arn": "a", "listener_arn": "b", "priority": None, "conditions": []}
    written = json.dumps({**document, "action": group})
    action = codec.decode("rule", written).action
    assert action == Forward(target_groups=(WeightedTargetGroup(arn="g", weight=5),), order=1)


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_resource_is_the_same_after_a_round_trip(resource):
    assert codec.decode(resource.kind, codec.encode(resource)) == resource


def test_a_function_written_before_there_were_versions_is_read():
    document = json.loads(codec.encode(function()))
    for field in ("version", "code_signing_config_arn", "recursive_loop", "update_runtime_on"):
        del document[field]
    assert codec.decode("function", json.dumps(document)) == function()


def test_the_package_of_a_layer_is_read_as_it_was_once_written():
    layer = UsedLayer(arn="l:1", content=Package(sha256="bGF5ZXI=", size=3))
    document = json.loads(codec.encode(function(layers=(layer,))))
    document["layers"][0]["content"] = {"sha256": "bGF5ZXI=", "size": 3}
    assert codec.decode("function", json.dumps(document)).layers == (layer,)


def test_environment_variables_are_still_hidden_after_a_round_trip():
    resource = function(environment=Secrets({"TOKEN": "hidden"}))
    decoded = codec.decode("function", codec.encode(resource))
    assert "hidden" not in repr(decoded)
    assert decoded.environment["TOKEN"] == "hidden"


def test_times_keep_their_zone_and_microseconds():
    decoded = codec.decode("function", codec.encode(function()))
    assert decoded.last_modified == NOW
    assert decoded.last_modified.utcoffset() is not None


def test_a_document_is_decoded_once():
    document = codec.encode(function())
    assert codec.decode("function", document) is codec.decode("function", document)


def test_a_resource_names_the_packages_that_it_needs():
    layer = UsedLayer(arn="l:1", content=Package(sha256="bGF5ZXI=", size=3))
    code = Package(sha256="Y29kZQ==", size=3)
    made = function(code=code, layers=(layer,), environment=Secrets({"sha256": "x", "size": "1"}))
    version = Version(arn="v", function=made)
    layer_version = LayerVersion(
        arn="l:1", name="l", version=1, content=layer.content, created=NOW, revision_id="r"
    )
    for resource, expected in (
        (made, [code, layer.content]),
        (version, [code, layer.content]),
        (function(code=Directory(path="/")), []),
        (layer_version, [layer.content]),
    ):
        assert codec.decode(resource.kind, codec.encode(resource)) == resource
        assert list(codec.packages(resource)) == expected
    assert codec.merged_layers(made) == codec.merged_layers(version) is not None
    assert codec.merged_layers(function()) is None
