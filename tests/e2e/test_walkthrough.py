"""The published walk-through, command by command, with the real `aws` CLI and curl."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command import Server, place, serving

pytestmark = pytest.mark.timeout(90)

EXAMPLE = Path(__file__).parents[2] / "examples" / "url-shortener"
LONG_URL = "https://example.com/very/long/path"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:url-shortener"


@pytest.fixture
def server() -> Iterator[Server]:
    # An address of the test's own, so that port 80 is free whatever else this machine serves.
    network = f"127.{secrets.randbelow(200) + 10}.{secrets.randbelow(256)}.0/24"
    flags = ["--addresses", network] if sys.platform == "linux" else []
    with place() as where, serving(where, *flags) as server:
        yield server


class Shell:
    """Runs the commands with nothing but AWS_ENDPOINT_URL and some credentials set."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(server.place.folder),
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
        }

    def aws(self, *arguments: str, fails: bool = False) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "awscli", *arguments],
            env=self.environment,
            cwd=self.server.place.folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if fails:
            assert done.returncode != 0
            return {"error": done.stderr}
        assert done.returncode == 0, done.stderr
        document: dict[str, object] = json.loads(done.stdout) if done.stdout.strip() else {}
        return document

    def curl(self, *arguments: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body. The URL is the last argument."""
        *options, url = arguments
        # Without the right to bind port 80 the server has taken another one, and says which.
        balancer = self.server.status()["load_balancers"][0]
        place = f"{balancer['address']}:{balancer['listeners'][0]['real_port']}"
        connect = f"{urlsplit(url).hostname}:80:{place}"
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
    server: Server, runtime: str, handler: str, source: str
) -> None:
    if runtime.startswith("nodejs") and not shutil.which("node") and not os.environ.get("CI"):
        pytest.skip("Node.js is not installed")
    shell = Shell(server)
    aws = shell.aws
    archive = server.place.folder / "function.zip"
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
