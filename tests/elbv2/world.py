"""One account with a resource of every kind, for calls that are refused and so change nothing."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.server import client
from tests.support.tls import authority

ACCOUNT = "199999999999"
OK = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
PATH = {"Field": "path-pattern", "Values": ["/x"]}
# Any operation may answer with these. The model names DuplicateTagKeys for some with tags only.
_COMMON = {"AccessDenied", "DuplicateTagKeys", "NotImplemented", "ValidationError"}
_PREFIX = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}"


class World:
    """`call` makes one; `refusal` returns what one is refused with: status, code, message.

    In parameters `{name}` stands for the ARN of that resource: `balancer`, `listener`, `https`,
    `rule`, `default_rule`, `group` (of a function), `used` (likewise, of `rule`), `servers`,
    `certificate`, `trust_store`, `function`; `no_balancer` and so on for those that are not there.
    """

    def __init__(self, url: str, objects: dict[str, bytes]) -> None:
        self._elb = client("elbv2", url, access_key=ACCOUNT, parameter_validation=False)
        self.names = {
            "no_balancer": f"{_PREFIX}:loadbalancer/app/none/0000000000000000",
            "no_listener": f"{_PREFIX}:listener/app/none/0000000000000000/0000000000000000",
            "no_rule": f"{_PREFIX}:listener-rule/app/none/{'/'.join(['0000000000000000'] * 3)}",
            "no_group": f"{_PREFIX}:targetgroup/none/0000000000000000",
            "no_trust_store": f"{_PREFIX}:truststore/none/0000000000000000",
            "elsewhere": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/lb/0",
        }
        self.names["function"] = _function(url)
        self.names["certificate"] = client("acm", url, access_key=ACCOUNT).request_certificate(
            DomainName="a.example.com", KeyAlgorithm="EC_prime256v1"
        )["CertificateArn"]
        objects["s3://world/ca.pem"] = authority().pem
        self._build()

    def call(self, operation: str, **params: Any) -> Any:
        return getattr(self._elb, operation)(**self._filled(params))

    def refusal(self, operation: str, params: Mapping[str, Any]) -> tuple[int, str, str]:
        with pytest.raises(ClientError) as raised:
            self.call(operation, **params)
        answer: Any = raised.value.response
        code: str = answer["Error"]["Code"]
        assert code in (_COMMON | self._codes(operation)), f"{operation} has no {code} in AWS"
        return answer["ResponseMetadata"]["HTTPStatusCode"], code, answer["Error"]["Message"]

    def _codes(self, operation: str) -> set[str]:
        """Return the codes that the service model names for `operation`."""
        model = self._elb.meta
        name = model.method_to_api_mapping[operation]
        return {
            shape.error_code for shape in model.service_model.operation_model(name).error_shapes
        }

    def text(self, text: str) -> str:
        """Return `text` with names of resources replaced by their ARNs."""
        for name, arn in self.names.items():
            text = text.replace(f"{{{name}}}", arn)
        return text

    def _filled(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self._filled(each) for each in value]
            case dict():
                return {key: self._filled(each) for key, each in value.items()}
            case _:
                return value

    def _build(self) -> None:
        names = self.names
        made = self.call("create_load_balancer", Name="lb", Subnets=["subnet-1", "subnet-2"])
        names["balancer"] = made["LoadBalancers"][0]["LoadBalancerArn"]
        made = self.call(
            "create_load_balancer", Name="in", Scheme="internal", Subnets=["subnet-1", "subnet-2"]
        )
        names["internal"] = made["LoadBalancers"][0]["LoadBalancerArn"]
        for name in ("group", "used"):
            made = self.call("create_target_group", Name=name, TargetType="lambda")
            names[name] = made["TargetGroups"][0]["TargetGroupArn"]
        server = {"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "TargetType": "ip"}
        made = self.call("create_target_group", Name="servers", **server)
        names["servers"] = made["TargetGroups"][0]["TargetGroupArn"]
        made = self.call(
            "create_listener",
            LoadBalancerArn="{balancer}",
            Protocol="HTTP",
            Port=80,
            DefaultActions=[OK],
        )
        names["listener"] = made["Listeners"][0]["ListenerArn"]
        made = self.call(
            "create_listener",
            LoadBalancerArn="{balancer}",
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": "{certificate}"}],
            DefaultActions=[OK],
        )
        names["https"] = made["Listeners"][0]["ListenerArn"]
        forward = {"Type": "forward", "TargetGroupArn": "{used}"}
        made = self.call(
            "create_rule",
            ListenerArn="{listener}",
            Priority=10,
            Conditions=[PATH],
            Actions=[forward],
        )
        names["rule"] = made["Rules"][0]["RuleArn"]
        rules = self.call("describe_rules", ListenerArn="{listener}")["Rules"]
        names["default_rule"] = rules[-1]["RuleArn"]
        made = self.call(
            "create_trust_store",
            Name="store",
            CaCertificatesBundleS3Bucket="world",
            CaCertificatesBundleS3Key="ca.pem",
        )
        names["trust_store"] = made["TrustStores"][0]["TrustStoreArn"]


def rows(operation: str, **cases: tuple[Any, str, str]) -> list[Any]:
    """Return a table of refusals, each of parameters, code and message, for `parametrize`."""
    return [
        pytest.param(operation, *case, id=f"{operation}: {name.replace('_', ' ')}")
        for name, case in cases.items()
    ]


def _function(url: str) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("app.py", "def handler(event, context): ...")
    made = client("lambda", url, access_key=ACCOUNT).create_function(
        FunctionName="fn",
        Runtime="python3.12",
        Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/any",
        Code={"ZipFile": archive.getvalue()},
    )
    arn: str = made["FunctionArn"]
    return arn
