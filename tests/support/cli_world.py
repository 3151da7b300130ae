"""The `aws` program, and the resources that the AWS CLI's examples speak of."""

import json
import re
import shlex
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver

from tests.support import aws_command
from tests.support.cli_examples import Example
from tests.support.command import zipped

REGION = "us-west-2"
_ARN = re.compile(r"arn:aws:[a-z]+:[a-z0-9-]+:[0-9]{12}:[^\s,\"'=]+")


class Program:
    """The `aws` program, of any account."""

    def __init__(self, url: str, patch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "123456789012",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            patch.setenv(name, value)
        self._driver = create_clidriver()

    def run(self, account: str, *arguments: str) -> tuple[int, str, str]:
        """Return exit status, output and error output of `aws ARGUMENTS`."""
        self._driver.session.set_credentials(account, "secret")
        return aws_command.run(self._driver, arguments)


class World:
    """What one example needs, made when its command names it."""

    def __init__(self, program: Program, account: str, folder: Path, *, https: bool) -> None:
        self._program = program
        self._account = account
        self._folder = folder
        self._https = https
        self._made: dict[str, str] = {}

    def run(self, example: Example) -> tuple[int, str, str]:
        """Run the command of `example`, with what is here for what it names."""
        for name, text in example.files.items():
            (self._folder / name).write_text(self._translate(text))
        line = self._translate(example.command).replace("file://", f"file://{self._folder}/")
        return self._program.run(self._account, *shlex.split(line))

    def call(self, *arguments: str) -> Any:
        status, out, err = self._program.run(self._account, *arguments)
        assert status == 0, (arguments, err)
        return json.loads(out) if out else None

    @cached_property
    def balancer(self) -> str:
        made = self.call(
            *("elbv2", "create-load-balancer", "--name", "my-load-balancer"),
            *("--subnets", "subnet-b7d581c0", "subnet-8360a9e7"),
        )
        return made["LoadBalancers"][0]["LoadBalancerArn"]

    @cached_property
    def listener(self) -> str:
        https = ("--certificates", f"CertificateArn={self.certificate()}", "--protocol", "HTTPS")
        made = self.call(
            *("elbv2", "create-listener", "--load-balancer-arn", self.balancer),
            *(*https, "--port", "443") if self._https else ("--protocol", "HTTP", "--port", "80"),
            *("--default-actions", f"Type=forward,TargetGroupArn={self.group('my-targets')}"),
        )
        return made["Listeners"][0]["ListenerArn"]

    @cached_property
    def rule(self) -> str:
        made = self.call(
            *("elbv2", "create-rule", "--listener-arn", self.listener, "--priority", "10"),
            *("--conditions", "Field=path-pattern,Values=/img/*"),
            *("--actions", f"Type=forward,TargetGroupArn={self.group('my-targets')}"),
        )
        return made["Rules"][0]["RuleArn"]

    def group(self, name: str, *options: str) -> str:
        def make() -> str:
            told = options or ("--protocol", "HTTP", "--port", "80", "--vpc-id", "vpc-3ac0fb5f")
            made = self.call("elbv2", "create-target-group", "--name", name, *told)
            return made["TargetGroups"][0]["TargetGroupArn"]

        return self._once(name, make)

    def certificate(self, name: str = "default") -> str:
        def make() -> str:
            made = self.call(
                *("acm", "request-certificate", "--domain-name", f"{name}.example.com"),
                *("--key-algorithm", "EC_prime256v1"),
            )
            return made["CertificateArn"]

        return self._once(f"certificate {name}", make)

    @cached_property
    def function(self) -> str:
        archive = self._folder / "function.zip"
        archive.write_bytes(zipped("def handler(event, context): ..."))
        made = self.call(
            *("lambda", "create-function", "--function-name", "my-function"),
            *("--runtime", "python3.13", "--handler", "app.handler", "--zip-file"),
            *(f"fileb://{archive}", "--role", f"arn:aws:iam::{self._account}:role/any"),
        )
        self.call(
            *("lambda", "add-permission", "--function-name", "my-function", "--statement-id", "e"),
            *("--action", "lambda:InvokeFunction"),
            *("--principal", "elasticloadbalancing.amazonaws.com"),
        )
        return made["FunctionArn"]

    def register(self, *targets: str) -> None:
        """Register targets with `my-targets`, which a listener uses."""
        assert self.listener
        group = self.group("my-targets")
        self.call(
            *("elbv2", "register-targets", "--target-group-arn", group),
            *("--targets", *(f"Id={target}" for target in targets)),
        )

    def _once(self, key: str, make: Callable[[], str]) -> str:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _translate(self, text: str) -> str:
        return _ARN.sub(lambda found: self._place(found[0]), text)

    def _place(self, arn: str) -> str:
        """Return the ARN of what is here for `arn`; that itself where this server has no such."""
        kind, _, rest = arn.split(":", 5)[5].partition("/")
        match kind, rest.split("/"):
            case "loadbalancer", ["app", *_]:
                return self.balancer
            case "listener", ["app", *_]:
                return self.listener
            case "listener-rule", ["app", *_]:
                return self.rule
            case "targetgroup", [name, _]:
                return self.group(name)
            case "certificate", [id_]:
                return self.certificate(id_[:8])
            case _:
                return self.function if ":lambda:" in arn else arn
