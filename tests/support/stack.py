"""The whole product for tests of its traffic: `albatross serve`, functions, and bytes on sockets.

Each load balancer has a loopback address of its own, so listeners may have any port, 80 included.
"""

import hashlib
import json
import random
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any, cast

from tests.support.command import (
    Server,
    is_alive,
    make_balancer,
    make_function,
    make_target_group,
    place,
    serving,
    until,
)
from tests.support.envoy import Answer, Client

# What it does with a request is in the path. What it has done it tells by datagrams.
FUNCTION = """
import base64, hashlib, json, os, socket, time

notes = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def handler(event, context):
    path, body = event["path"], event["body"]
    if not path.startswith("/-/"):
        return answer(event)
    if event["isBase64Encoded"]:
        body = base64.b64decode(body)
    if path == "/-/reply":
        return json.loads(body)
    if path == "/-/python":
        return eval(body)
    if path == "/-/digest":
        data = body.encode() if isinstance(body, str) else body
        return answer({"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    if path.startswith("/-/sleep/"):
        _, key, seconds = path.rsplit("/", 2)
        note(key)
        time.sleep(float(seconds))
        note(key)
        return answer(key)
    if path.startswith("/-/count/"):
        note(path.rsplit("/", 1)[1])
        return {"statusCode": 503, "body": "counted"}
    if path == "/-/raise":
        raise ValueError("on purpose")
    if path == "/-/crash":
        os._exit(1)

def note(key):
    notes.sendto(key.encode(), ("127.0.0.1", int(os.environ["NOTES"])))

def answer(document):
    return {"statusCode": 200, "body": json.dumps(document)}
"""


# The headers of an event that the load balancer has written.
OWN = {"host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
INSTANCE = "i-0123456789abcdef0"  # is where servers of tests are: on the loopback
_CONFIG = {"host_header": "HostHeaderConfig", "path_pattern": "PathPatternConfig"}


@dataclass
class Front:
    """A load balancer with one listener. `port` is the listener's, `real_port` where it is."""

    stack: "Stack"
    balancer: str
    listener: str
    dns_name: str
    address: str
    port: int
    real_port: int

    def place(self, port: int) -> dict[str, Any]:
        """Return where the listener with `port` really listens: as no root, above 1024."""
        balancers = self.stack.server.status()["load_balancers"]
        (own,) = [one for one in balancers if one["arn"] == self.balancer]
        (place,) = [one for one in own["listeners"] if one["port"] == port]
        assert place["error"] is None, place
        return cast(dict[str, Any], place)

    def connect(self) -> Client:
        return Client(self.real_port, self.address)

    def send(self, data: str | bytes, *, head: bool = False) -> Answer:
        """Send `data` on a connection of its own and return the first answer."""
        with self.connect() as client:
            client.write(data)
            return client.read(head=head)

    def get(self, target: str = "/", *lines: str, host: str = "example.com") -> Answer:
        return self.send(request(f"GET {target}", *lines, host=host))

    def post(
        self, target: str = "/", *lines: str, body: str | bytes = b"", method: str = "POST"
    ) -> Answer:
        return self.send(request(f"{method} {target}", *lines, body=body))

    def reply(self, result: object, *lines: str, method: str = "POST") -> Answer:
        """Have the function return `result` and tell what the client gets."""
        body = json.dumps(result)
        data = request(f"{method} /-/reply", *lines, body=body)
        return self.send(data, head=method == "HEAD")

    def evaluate(self, expression: str) -> Answer:
        """Have the function return what a Python expression is."""
        return self.send(request("POST /-/python", body=expression))

    def set(self, **attributes: str) -> None:
        """Change attributes of the load balancer; in their names `__` stands for a dot."""
        self.stack.elb.modify_load_balancer_attributes(
            LoadBalancerArn=self.balancer,
            Attributes=[
                {"Key": name.replace("__", "."), "Value": value}
                for name, value in attributes.items()
            ],
        )

    def default(self, *actions: Mapping[str, Any]) -> None:
        self.stack.elb.modify_listener(ListenerArn=self.listener, DefaultActions=list(actions))

    @contextmanager
    def rule(
        self, action: Mapping[str, Any], priority: int = 1, **values: Sequence[str]
    ) -> Iterator[str]:
        """Have a rule for a while: `host_header=[...]`, `path_pattern=[...]`."""
        made = self.stack.elb.create_rule(
            ListenerArn=self.listener,
            Priority=priority,
            Conditions=[
                {"Field": name.replace("_", "-"), _CONFIG[name]: {"Values": list(of)}}
                for name, of in values.items()
            ],
            Actions=[action],
        )
        arn = made["Rules"][0]["RuleArn"]
        try:
            yield arn
        finally:
            self.stack.elb.delete_rule(RuleArn=arn)


def request(
    line: str, *lines: str, host: str | None = "example.com", body: str | bytes | None = None
) -> bytes:
    """Return an HTTP/1.1 request. `line`: method and target. A body brings its Content-Length."""
    head = [f"{line} HTTP/1.1"]
    if host is not None:
        head.append(f"Host: {host}")
    head += lines
    data = body.encode() if isinstance(body, str) else body
    if data is not None and not any(one.lower().startswith("transfer-encoding") for one in lines):
        head.append(f"Content-Length: {len(data)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (data or b"")


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def event(answer: Answer) -> dict[str, Any]:
    """Return the event that the function was invoked with."""
    assert answer.status == 200, answer
    document: dict[str, Any] = json.loads(answer.body)
    assert "requestContext" in document, document
    return document


def client_headers(event: dict[str, Any]) -> dict[str, list[str]]:
    """Return the headers of an event in multi-value form that came from the client."""
    return {name: of for name, of in event["multiValueHeaders"].items() if name not in OWN}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Stack:
    """One server. What tests make in it stays until its end."""

    server: Server
    _notes: socket.socket
    _noted: Counter[str] = field(default_factory=Counter)
    _names: Iterator[int] = field(default_factory=lambda: count(1))
    _shared: dict[int, Front] = field(default_factory=dict)

    @cached_property
    def elb(self) -> Any:
        return self.server.client("elbv2")

    @cached_property
    def functions(self) -> Any:
        return self.server.client("lambda")

    @cached_property
    def function(self) -> str:
        variables = {"Variables": {"NOTES": str(self._notes.getsockname()[1])}}
        return make_function(self.server, "traffic", FUNCTION, Timeout=30, Environment=variables)

    def noted(self, key: str) -> int:
        """Return how often the function has noted `key`: a sleep does when it begins and ends."""
        with suppress(BlockingIOError):
            while True:
                self._noted[self._notes.recv(100).decode()] += 1
        return self._noted[key]

    def name(self) -> str:
        return f"t{next(self._names)}"

    def make(self, source: str, **options: Any) -> str:
        """Make another function."""
        return make_function(self.server, self.name(), source, **options)

    def group(self, *, multi_value: bool = False, function: str | None = None) -> str:
        """Make a target group for the function that all tests share, or another one."""
        arn = make_target_group(self.server, self.name(), function or self.function)
        if multi_value:
            self.elb.modify_target_group_attributes(
                TargetGroupArn=arn,
                Attributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": "true"}],
            )
        return arn

    def shared_front(self, port: int) -> Front:
        """Return the load balancer on `port` whose default action any test may replace."""
        if port not in self._shared:
            self._shared[port] = self.front(fixed(), port=port)
        return self._shared[port]

    def front(
        self,
        action: Mapping[str, Any] | None = None,
        *,
        port: int = 80,
        certificate: str | None = None,
        multi_value: bool = False,
        **attributes: str,
    ) -> Front:
        """Make a load balancer whose listener performs `action`, or forwards to a new group.

        With the ARN of a `certificate` it is an HTTPS listener. `multi_value`: that of the group.
        """
        action = action or forward(self.group(multi_value=multi_value))
        balancer = make_balancer(self.server, self.name())
        listener = self.elb.create_listener(
            LoadBalancerArn=balancer,
            Port=port,
            DefaultActions=[action],
            **(
                {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}]}
                if certificate
                else {"Protocol": "HTTP"}
            ),
        )["Listeners"][0]["ListenerArn"]
        shown = until(lambda: self._shown(balancer))
        (place,) = shown["listeners"]
        assert place["error"] is None, place
        front = Front(
            stack=self,
            balancer=balancer,
            listener=listener,
            dns_name=shown["dns_name"],
            address=shown["address"],
            port=port,
            real_port=place["real_port"],
        )
        if attributes:
            front.set(**attributes)
        return front

    def _shown(self, balancer: str) -> dict[str, Any] | None:
        """Return what the server shows of a load balancer, once its listener is in effect."""
        balancers = self.server.status()["load_balancers"]
        return next((one for one in balancers if one["arn"] == balancer and one["listeners"]), None)


def forward(target_group: str) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": target_group}


def fixed(
    status: int = 200, body: str | None = None, content_type: str | None = None
) -> dict[str, Any]:
    config = {"StatusCode": str(status)}
    if body is not None:
        config["MessageBody"] = body
    if content_type is not None:
        config["ContentType"] = content_type
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def redirect(status: int = 302, **parts: str) -> dict[str, Any]:
    config = {name.capitalize(): value for name, value in parts.items()}
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": f"HTTP_{status}", **config}}


@contextmanager
def stack(*, settings: str = "", **variables: str) -> Iterator[Stack]:
    """Run a server with these variables; afterwards none of its processes and files may be left.

    `settings`: tables of its file of settings.
    """
    network = f"127.{random.randrange(64, 255)}.{random.randrange(256)}.0/24"
    with place() as where:
        # Every test makes a load balancer of its own.
        where.variables["ALBATROSS_QUOTAS"] = "application-load-balancers=1000"
        where.variables.update(variables)
        instances = f'[instances]\n{INSTANCE} = "127.0.0.1"\n'
        (where.folder / "albatross.toml").write_text(instances + settings)
        with serving(where, "--addresses", network) as server:
            pids = server.pids().values()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as notes:
                notes.setblocking(False)
                notes.bind(("127.0.0.1", 0))
                yield Stack(server, notes)
            assert server.stop() == 0
        until(lambda: not any(map(is_alive, pids)))
        assert where.run_directories() == []
