"""Values and structures that make calls of the APIs sensible, for random ones."""

from typing import Any

from tests.support import tls
from tests.support.any_call import Reference, Sense
from tests.support.api import INSTANCES
from tests.support.command import zipped

AUTHORITY = tls.authority()
_MADE = tls.make("a.example.com", signer=AUTHORITY)
_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
_HEADERS = "routing.http.response.access_control_allow_origin.header_value"


def _forward(number: int) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": Reference("TargetGroupArn", number)}


def _weighted(first: int, second: int) -> dict[str, Any]:
    groups = [
        {"TargetGroupArn": Reference("TargetGroupArn", number), "Weight": 1 + number}
        for number in (first, second)
    ]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def _attributes(**values: str) -> list[dict[str, str]]:
    return [{"Key": key.replace("__", "."), "Value": value} for key, value in values.items()]


def _condition(field: str, config: str, **values: Any) -> dict[str, Any]:
    return {"Field": field, config: values}


_STRUCTURES: dict[str, list[Any]] = {
    "Action": [
        {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}},
        {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "b.test"}},
        *(_forward(0), _forward(1), _forward(2), _weighted(0, 1), _weighted(1, 2)),
    ],
    "RuleCondition": [
        {"Field": "path-pattern", "Values": ["/a/*"]},
        {"Field": "host-header", "Values": ["*.example.com"]},
        _condition("http-header", "HttpHeaderConfig", HttpHeaderName="X-A", Values=["*"]),
        _condition("http-request-method", "HttpRequestMethodConfig", Values=["GET"]),
        _condition("query-string", "QueryStringConfig", Values=[{"Key": "a", "Value": "b"}]),
        _condition("source-ip", "SourceIpConfig", Values=["10.0.0.0/8", "::1/128"]),
        _condition("path-pattern", "PathPatternConfig", RegexValues=["^/a+$"]),
    ],
    "RuleTransform": [
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "a", "Replace": "b"}]}}
    ],
    "RulePriorityPair": [
        {"RuleArn": Reference("RuleArn", arn), "Priority": priority}
        for arn in range(4)
        for priority in (1, 2, 7, 50_000)
    ],
    "Certificate": [{"CertificateArn": Reference("CertificateArn", n)} for n in range(3)],
    "MutualAuthenticationAttributes": [
        {"Mode": "off"},
        {"Mode": "verify", "TrustStoreArn": Reference("TrustStoreArn", 0)},
    ],
    "TargetDescription": [{"Id": id_} for id_ in (*INSTANCES[:2], "10.0.0.1", _FUNCTION)],
    "LoadBalancerAttribute": _attributes(
        idle_timeout__timeout_seconds="30",
        deletion_protection__enabled="true",
        routing__http2__enabled="false",
    ),
    "TargetGroupAttribute": _attributes(
        deregistration_delay__timeout_seconds="0",
        stickiness__enabled="true",
        lambda__multi_value_headers__enabled="true",
    ),
    "ListenerAttribute": [{"Key": _HEADERS, "Value": "*"}],
    "Tag": [{"Key": key, "Value": "v"} for key in "abc"],
    "RevocationContent": [{"S3Bucket": "trust", "S3Key": "crl.pem"}],
    "FunctionCode": [{"ZipFile": zipped("def handler(event, context): ...")}],
    "AllowedPublishers": [
        {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/signing-profiles/p"]}
    ],
}
_VALUES: dict[str, list[Any]] = {
    "Name": ["a", "b", "c-1"],
    "Subnets": ["subnet-1"],
    "Subnet": ["subnet-1", "subnet-2", "subnet-3"],
    "SecurityGroup": ["sg-1", "sg-2"],
    "VpcId": ["vpc-1"],
    "Port": [80, 443, 8080],
    "Priority": [3, 4, 5, 50_000],
    "Protocol": ["HTTP", "HTTPS"],
    "TargetType": ["instance", "ip", "lambda"],
    "HealthCheckPath": ["/", "/health"],
    "HttpCode": ["200", "200-299"],
    "CaCertificatesBundleS3Bucket": ["trust"],
    "CaCertificatesBundleS3Key": ["ca.pem"],
    "RevocationIds": [1],
    "RevocationId": [1, 2],
    "TagKey": ["a", "b"],
    "FunctionName": ["f", "g"],
    "Runtime": ["python3.13", "nodejs22.x"],
    "Handler": ["app.handler"],
    "Role": ["arn:aws:iam::123456789012:role/r"],
    "ZipFile": [zipped("def handler(event, context): return 1")],
    "Action": ["lambda:InvokeFunction"],
    "Principal": ["elasticloadbalancing.amazonaws.com"],
    "StatementId": ["s", "t"],
    "FunctionVersion": ["$LATEST", "1"],
    "ProvisionedConcurrentExecutions": [1],
    "DomainName": ["a.example.com", "*.example.com"],
    "KeyAlgorithm": ["EC_prime256v1"],
    "Certificate": [_MADE.pem],
    "PrivateKey": [_MADE.key_pem],
    "CertificateChain": [AUTHORITY.pem],
    "CapacityUnits": [100, 200],
}
_ACTIONS: list[Any] = _STRUCTURES["Action"]
_ROLE = {"Role": "arn:aws:iam::123456789012:role/r", "Runtime": "python3.13", "Handler": "a.b"}
_CALLS: dict[str, list[Any]] = {
    "CreateLoadBalancer": [
        {"Name": name, "Subnets": ["subnet-1", "subnet-2"], **more}
        for name in ("a", "b", "c")
        for more in ({}, {"Scheme": "internal"}, {"Tags": [{"Key": "a", "Value": "b"}]})
    ],
    "SetSubnets": [
        {"LoadBalancerArn": Reference("LoadBalancerArn", n), "Subnets": ["subnet-1", f"subnet-{n}"]}
        for n in (2, 3)
    ],
    "CreateListener": [
        {
            "LoadBalancerArn": Reference("LoadBalancerArn", port),
            "Port": port,
            "DefaultActions": [action],
            **security,
        }
        for port in (81, 82, 444)
        for action in _ACTIONS
        for security in (
            {"Protocol": "HTTP"},
            {"Protocol": "HTTPS", "Certificates": _STRUCTURES["Certificate"][:1]},
        )
    ],
    "ModifyListener": [
        {"ListenerArn": Reference("ListenerArn", number), "DefaultActions": [action]}
        for number, action in enumerate(_ACTIONS)
    ],
    "CreateRule": [
        {
            "ListenerArn": Reference("ListenerArn", number),
            "Priority": priority,
            "Conditions": [condition],
            "Actions": [action],
        }
        for number, condition in enumerate(_STRUCTURES["RuleCondition"])
        for priority, action in enumerate(_ACTIONS, 3)
    ],
    "ModifyRule": [
        {"RuleArn": Reference("RuleArn", number), "Actions": [action]}
        for number, action in enumerate(_ACTIONS)
    ],
    "CreateTargetGroup": [
        *({"Name": name, "TargetType": "lambda"} for name in ("b", "l1", "l2")),
        *(
            {
                "Name": f"s{kind}",
                "TargetType": kind,
                "Protocol": "HTTP",
                "Port": 80,
                "VpcId": "vpc-1",
            }
            for kind in ("instance", "ip")
        ),
    ],
    "RegisterTargets": [
        {"TargetGroupArn": Reference("TargetGroupArn", group), "Targets": [target]}
        for group in range(3)
        for target in _STRUCTURES["TargetDescription"]
    ],
    "CreateTrustStore": [
        {
            "Name": name,
            "CaCertificatesBundleS3Bucket": "trust",
            "CaCertificatesBundleS3Key": "ca.pem",
        }
        for name in ("t1", "t2", "t3")
    ],
    "CreateFunction": [
        {"FunctionName": name, "Code": _STRUCTURES["FunctionCode"][0], **_ROLE}
        for name in ("f", "g", "h", "i")
    ],
    "UpdateFunctionCode": [{"FunctionName": "f", "ZipFile": _VALUES["ZipFile"][0]}],
    "UpdateFunctionConfiguration": [{"FunctionName": "f", "Timeout": 5}],
    "AddPermission": [
        {
            "FunctionName": "f",
            "StatementId": sid,
            "Action": "lambda:InvokeFunction",
            "Principal": "elasticloadbalancing.amazonaws.com",
        }
        for sid in "stu"
    ],
    "RequestCertificate": [{"DomainName": "b.example.com", "KeyAlgorithm": "EC_prime256v1"}],
}
SENSE = Sense(_VALUES, _STRUCTURES, _CALLS)
