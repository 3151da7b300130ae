"""An account of a server of the APIs alone, and resources made in few words."""

import itertools
from typing import Any

from albatross import acm, elbv2, lambda_
from tests.support.command import zipped
from tests.support.server import client
from tests.support.stack import fixed

OPERATIONS = {
    "elasticloadbalancing": elbv2.OPERATIONS,
    "lambda": lambda_.OPERATIONS,
    "acm": acm.OPERATIONS,
}
SUBNETS = ["subnet-0000000a", "subnet-0000000b"]
CODE = zipped("def handler(event, context): ...")
_numbers = itertools.count(300_000_000_001)


class Account:
    """A new account. Its clients let bad parameters through; what makes something returns ARNs."""

    def __init__(self, url: str) -> None:
        self.id = str(next(_numbers))
        self.elb = self._client("elbv2", url)
        self.functions = self._client("lambda", url)
        self.acm = self._client("acm", url)
        self._names = itertools.count(1)

    def _client(self, service: str, url: str) -> Any:
        return client(service, url, access_key=self.id, parameter_validation=False)

    def name(self) -> str:
        return f"n{next(self._names)}"

    def balancer(self, name: str | None = None, **params: Any) -> str:
        given = {"Name": name or self.name(), "Subnets": SUBNETS, **params}
        arn: str = self.elb.create_load_balancer(**given)["LoadBalancers"][0]["LoadBalancerArn"]
        return arn

    def listener(self, balancer: str, port: int = 80, **params: Any) -> str:
        given = {
            "LoadBalancerArn": balancer,
            "Protocol": "HTTP",
            "Port": port,
            "DefaultActions": [fixed()],
            **params,
        }
        arn: str = self.elb.create_listener(**given)["Listeners"][0]["ListenerArn"]
        return arn

    def rule(self, listener: str, priority: int, **params: Any) -> str:
        given = {
            "Conditions": [{"Field": "path-pattern", "Values": ["/x"]}],
            "Actions": [fixed()],
            **params,
        }
        made = self.elb.create_rule(ListenerArn=listener, Priority=priority, **given)
        arn: str = made["Rules"][0]["RuleArn"]
        return arn

    def group(self, name: str | None = None, **params: Any) -> str:
        """Make a target group for a function, or with `TargetType="ip"` for servers."""
        given = {"Name": name or self.name(), "TargetType": "lambda", **params}
        if given["TargetType"] != "lambda":
            given = {"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", **given}
        arn: str = self.elb.create_target_group(**given)["TargetGroups"][0]["TargetGroupArn"]
        return arn

    def certificate(self, name: str = "a.example.com") -> str:
        made = self.acm.request_certificate(DomainName=name, KeyAlgorithm="EC_prime256v1")
        arn: str = made["CertificateArn"]
        return arn

    def function(self, name: str | None = None, **params: Any) -> str:
        """Make a function that any load balancer may invoke."""
        given = {
            "FunctionName": name or self.name(),
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": f"arn:aws:iam::{self.id}:role/any",
            "Code": {"ZipFile": CODE},
            **params,
        }
        arn: str = self.functions.create_function(**given)["FunctionArn"]
        self.functions.add_permission(
            FunctionName=arn,
            StatementId="elb",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
        )
        return arn
