"""Load balancers and functions, made as a user makes them: with boto3."""

import io
import zipfile
from typing import Any

import boto3
from botocore.config import Config

ROLE = "arn:aws:iam::123456789012:role/bench"


def client(service: str, url: str) -> Any:
    """Return a boto3 client that makes one attempt a call."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=4),
    )


def package(source: str, module: str = "app.py") -> bytes:
    """Return a package with one module, `app`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(module, source)
    return buffer.getvalue()


class Deployment:
    """One load balancer with one listener."""

    def __init__(self, url: str, port: int) -> None:
        self.elbv2 = client("elbv2", url)
        self.lambda_ = client("lambda", url)
        self.port = port
        balancers = self.elbv2.create_load_balancer(Name="bench", Subnets=["subnet-1", "subnet-2"])
        self.load_balancer_arn: str = balancers["LoadBalancers"][0]["LoadBalancerArn"]
        listeners = self.elbv2.create_listener(
            LoadBalancerArn=self.load_balancer_arn,
            Protocol="HTTP",
            Port=port,
            DefaultActions=[fixed_response("no rule")],
        )
        self.listener_arn: str = listeners["Listeners"][0]["ListenerArn"]

    def log_accesses(self) -> None:
        """Turn the access log on."""
        on = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "bench"}
        self.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=self.load_balancer_arn,
            Attributes=[{"Key": key, "Value": value} for key, value in on.items()],
        )

    def function(
        self,
        name: str,
        source: str,
        *,
        timeout_s: int = 10,
        runtime: str = "python3.11",
        module: str = "app.py",
        **more: Any,
    ) -> str:
        """Create a function and a target group of which it is the target; return that one's ARN."""
        created = self.lambda_.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler="app.handler",
            Role=ROLE,
            Timeout=timeout_s,
            Code={"ZipFile": package(source, module)},
            **more,
        )
        groups = self.elbv2.create_target_group(Name=name, TargetType="lambda")
        group_arn: str = groups["TargetGroups"][0]["TargetGroupArn"]
        self.lambda_.add_permission(
            FunctionName=name,
            StatementId="elb",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
            SourceArn=group_arn,
        )
        self.elbv2.register_targets(
            TargetGroupArn=group_arn, Targets=[{"Id": created["FunctionArn"]}]
        )
        return group_arn

    def rule(self, priority: int, path: str, action: dict[str, Any]) -> str:
        """Create a rule and return its ARN."""
        rules = self.elbv2.create_rule(
            ListenerArn=self.listener_arn,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [path]}],
            Actions=[action],
        )
        arn: str = rules["Rules"][0]["RuleArn"]
        return arn


def forward(group_arn: str) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": group_arn}


def fixed_response(body: str) -> dict[str, Any]:
    config = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": config}
