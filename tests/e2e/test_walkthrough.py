"""The published walk-through, command by command, with the `aws` CLI and curl."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.aws_command import aws
from tests.support.command import Server
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(90)

EXAMPLE = Path(__file__).parents[2] / "examples" / "url-shortener"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:url-shortener"
LONG_URL = "https://example.com/very/long/path"


class Shell:
    """Runs the commands with nothing but AWS_ENDPOINT_URL and some credentials set."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def aws(self, *arguments: str, fails: bool = False) -> dict[str, object]:
        status, out, err = aws(
            *arguments,
            url=self.server.url,
            folder=self.server.place.folder,
            AWS_ACCESS_KEY_ID="any",
            HOME=str(self.server.place.folder),
        )
        if fails:
            assert status != 0
            return {"error": err}
        assert status == 0, err
        document: dict[str, object] = json.loads(out) if out.strip() else {}
        return document

    def curl(self, *arguments: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body. The URL is the last argument."""
        *options, url = arguments
        # Without the right to bind port 80 the server has taken another one, and says which.
        name = urlsplit(url).hostname
        (balancer,) = [b for b in self.server.status()["load_balancers"] if b["dns_name"] == name]
        place = f"{balancer['address']}:{balancer['listeners'][0]['real_port']}"
        connect = f"{name}:80:{place}"
        done = subprocess.run(
            ["curl", "-sS", "-i", "--connect-to", connect, *options, url],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        head, _, body = done.stdout.partition("\n\n")
        status, *lines = head.splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        return int(status.split()[1]), headers, body


@pytest.fixture
def shell(traffic: Stack) -> Iterator[Shell]:
    """Afterwards nothing is left: the names are those of the walk-through."""
    yield Shell(traffic.server)
    elb = traffic.elb
    for balancer in elb.describe_load_balancers(Names=["my-alb"])["LoadBalancers"]:
        elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    names = ["url-shortener-targets", "accounts"]
    for group in elb.describe_target_groups(Names=names)["TargetGroups"]:
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    traffic.functions.delete_function(FunctionName="url-shortener")


@pytest.mark.parametrize(
    ("runtime", "handler", "source"),
    [
        pytest.param(
            "nodejs20.x", "url-shortener.handler", "nodejs/url-shortener.js", id="Node.js"
        ),
        pytest.param("python3.12", "url_shortener.handler", "python/url_shortener.py", id="Python"),
    ],
)
def test_the_walk_through_works_as_printed(
    shell: Shell, runtime: str, handler: str, source: str
) -> None:
    if runtime.startswith("nodejs") and not shutil.which("node") and not os.environ.get("CI"):
        pytest.skip("Node.js is not installed")
    aws = shell.aws
    archive = shell.server.place.folder / "function.zip"
    subprocess.run([sys.executable, "-m", "zipfile", "-c", archive, EXAMPLE / source], check=True)

    subnets = ["--subnets", "subnet-0a000001", "subnet-0a000002"]
    made = aws("elbv2", "create-load-balancer", "--name", "my-alb", *subnets)
    balancer = made["LoadBalancers"][0]  # type: ignore[index]
    arn, name = balancer["LoadBalancerArn"], balancer["DNSName"]
    aws("elbv2", "wait", "load-balancer-available", "--load-balancer-arns", arn)

    role = ["--role", "arn:aws:iam::123456789012:role/any", "--zip-file", "fileb://function.zip"]
    options = ["--runtime", runtime, "--handler", handler, *role]
    aws("lambda", "create-function", "--function-name", "url-shortener", *options)
    aws("lambda", "wait", "function-active-v2", "--function-name", "url-shortener")

    create_group = ["elbv2", "create-target-group", "--protocol", "HTTP", "--target-type", "lambda"]
    made = aws(*create_group, "--name", "url-shortener-targets")
    group = made["TargetGroups"][0]["TargetGroupArn"]  # type: ignore[index]
    second = aws(*create_group, "--name", "accounts")["TargetGroups"][0]["TargetGroupArn"]  # type: ignore[index]

    register = ["elbv2", "register-targets", "--target-group-arn", group]
    refused = aws(*register, "--targets", f"Id={FUNCTION_ARN}", fails=True)
    assert "AccessDenied" in str(refused["error"])
    permission = ["--action", "lambda:InvokeFunction", "--statement-id", "AllowALBInvocation"]
    principal = ["--principal", "elasticloadbalancing.amazonaws.com"]
    function = ["--function-name", "url-shortener"]
    aws("lambda", "add-permission", *function, *principal, *permission)
    aws(*register, "--targets", f"Id={FUNCTION_ARN}")

    listen = ["elbv2", "create-listener", "--load-balancer-arn", arn, "--protocol", "HTTP"]
    forward = f"Type=forward,TargetGroupArn={group}"
    made = aws(*listen, "--port", "80", "--default-actions", forward)
    listener = made["Listeners"][0]["ListenerArn"]  # type: ignore[index]

    shorten = ["-X", "POST", f"http://{name}/shorten", "-H", "Content-Type: application/json"]
    options, url = [*shorten[:2], *shorten[3:]], shorten[2]
    status, headers, body = shell.curl(*options, "-d", json.dumps({"longUrl": LONG_URL}), url)
    assert (status, headers["content-type"]) == (201, "application/json")
    code = json.loads(body)["shortCode"]
    status, headers, _ = shell.curl(f"http://{name}/{code}")
    assert (status, headers["location"]) == (301, LONG_URL)
    assert shell.curl(*options, "-d", "{}", url)[0] == 400
    assert shell.curl(f"http://{name}/unknown")[0] == 404
    assert shell.curl("-X", "DELETE", f"http://{name}/{code}")[0] == 405

    conditions = ["--conditions", "Field=path-pattern,Values=/account/*"]
    actions = ["--actions", f"Type=forward,TargetGroupArn={second}"]
    rule = ["elbv2", "create-rule", "--listener-arn", listener, "--priority", "10"]
    aws(*rule, *conditions, *actions)
    assert shell.curl(f"http://{name}/account/1")[0] == 503  # nothing is registered there
    assert shell.curl(f"http://{name}/{code}")[0] == 301

    modify = ["elbv2", "modify-target-group-attributes", "--target-group-arn", group]
    aws(*modify, "--attributes", "Key=lambda.multi_value_headers.enabled,Value=true")
    status, headers, _ = shell.curl(f"http://{name}/{code}")
    assert (status, headers["location"]) == (301, LONG_URL)

    health = aws("elbv2", "describe-target-health", "--target-group-arn", group)
    described = health["TargetHealthDescriptions"][0]  # type: ignore[index]
    assert described["Target"]["Id"] == FUNCTION_ARN
    assert described["TargetHealth"]["State"] == "unavailable"
