"""Clients that write without end, and know what the server must still have after a crash.

Each has an account, so they do not see each other. What was acknowledged is in `sure`; a change
without an answer leaves its resource in `doubt`: it may be as before or as after, nothing between.
"""

import base64
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

from tests.support.command import (
    Server,
    fixed,
    get,
    make_balancer,
    make_function,
    make_listener,
    zipped,
)

SOURCE = 'def handler(event, context):\n    return {{"statusCode": 200, "body": "{}"}}\n'
RULES_MAX = 12
AWAY = (500, 503)  # statuses of a server that has lost its database: nothing is acknowledged

NO_ANSWER = (ConnectionError, HTTPClientError, ResponseParserError)  # or a part of one

State = Any  # of a resource; None where there is none


def sha256(code: bytes) -> str:
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


@dataclass
class Writer:
    """One client with a listener of its own on `port`."""

    server: Server
    account: str
    port: int
    random: random.Random
    sure: dict[str, State] = field(default_factory=dict)
    doubt: dict[str, tuple[State, State]] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)  # ARN by priority
    acknowledged: int = 0
    _count: int = 0

    def set_up(self) -> None:
        """Make what is there before the first crash. Takes no part in it."""
        self.elb = self.server.client("elbv2", self.account)
        self.functions = self.server.client("lambda", self.account)
        owner = _Account(self.server, self.account)
        function = make_function(owner, "app", SOURCE.format("first"))
        made = self.elb.create_target_group(Name="app", TargetType="lambda")
        self.group = made["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=self.group, Targets=[{"Id": function}])
        self.listener = make_listener(
            owner,
            make_balancer(owner, "web"),
            self.port,
            [{"Type": "forward", "TargetGroupArn": self.group}],
        )
        self.sure["function"] = (sha256(self._update_code("0")), "0")

    def run(self, stop: Event) -> None:
        """Write until `stop`, or until an answer does not come."""
        writes: list[Callable[[], None]] = [
            *(self.create_rule, self.modify_rule, self.delete_rule, self.tag_rule),
            *(self.create_group, self.modify_group, self.delete_group, self.update_code),
        ]
        while not stop.is_set():
            write = self.random.choice(writes)
            try:
                write()
            except NO_ANSWER:
                return
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] not in AWAY:
                    raise
                return

    def _change(self, key: str, after: State, call: Callable[[], Any]) -> Any:
        """Make one change and note how it went."""
        before = self.sure.get(key)
        self.doubt[key] = (before, after)
        answer = call()
        del self.doubt[key]
        self._know(key, after)
        self.acknowledged += 1
        return answer

    def _know(self, key: str, state: State) -> None:
        if state is None:
            self.sure.pop(key, None)
        else:
            self.sure[key] = state

    def _text(self) -> str:
        self._count += 1
        return f"{self.account}-{self._count}-{self.random.randrange(1 << 32):08x}"

    def _keys(self, prefix: str) -> list[str]:
        return [key for key in self.sure if key.startswith(prefix)]

    def create_rule(self) -> None:
        taken = set(self._keys("rule "))
        if len(taken) >= RULES_MAX:
            return self.delete_rule()
        free = [n for n in range(1, 2 * RULES_MAX) if f"rule {n}" not in taken]
        priority, body = self.random.choice(free), self._text()
        made = self._change(
            f"rule {priority}",
            (body, {"by": body}),
            lambda: self.elb.create_rule(
                ListenerArn=self.listener,
                Priority=priority,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{priority}"]}],
                Actions=fixed(body),
                Tags=[{"Key": "by", "Value": body}],
            ),
        )
        self.rules[str(priority)] = made["Rules"][0]["RuleArn"]
        return None

    def _some_rule(self) -> str | None:
        keys = self._keys("rule ")
        return self.random.choice(keys) if keys else None

    def modify_rule(self) -> None:
        if key := self._some_rule():
            body = self._text()
            arn = self.rules[key.split()[1]]
            self._change(
                key,
                (body, self.sure[key][1]),
                lambda: self.elb.modify_rule(RuleArn=arn, Actions=fixed(body)),
            )

    def delete_rule(self) -> None:
        if key := self._some_rule():
            arn = self.rules[key.split()[1]]
            self._change(key, None, lambda: self.elb.delete_rule(RuleArn=arn))

    def tag_rule(self) -> None:
        if key := self._some_rule():
            body, tags = self.sure[key]
            arn = self.rules[key.split()[1]]
            new = {"a": self._text(), "b": self._text()}  # both or none
            pairs = [{"Key": name, "Value": value} for name, value in new.items()]
            self._change(
                key, (body, tags | new), lambda: self.elb.add_tags(ResourceArns=[arn], Tags=pairs)
            )

    def create_group(self) -> None:
        name = f"g{self.random.randrange(8)}"
        key = f"group {name}"
        if key in self.sure:
            return self.delete_group()
        text = self._text()
        self._change(
            key,
            ({"by": text}, "false"),
            lambda: self.elb.create_target_group(
                Name=name, TargetType="lambda", Tags=[{"Key": "by", "Value": text}]
            ),
        )
        return None

    def _arn_of_group(self, key: str) -> str:
        found = self.elb.describe_target_groups(Names=[key.split()[1]])
        arn: str = found["TargetGroups"][0]["TargetGroupArn"]
        return arn

    def modify_group(self) -> None:
        if keys := self._keys("group "):
            key = self.random.choice(keys)
            tags, value = self.sure[key]
            value = "true" if value == "false" else "false"
            arn = self._arn_of_group(key)
            pairs = [{"Key": "lambda.multi_value_headers.enabled", "Value": value}]
            self._change(
                key,
                (tags, value),
                lambda: self.elb.modify_target_group_attributes(
                    TargetGroupArn=arn, Attributes=pairs
                ),
            )

    def delete_group(self) -> None:
        if keys := self._keys("group "):
            key = self.random.choice(keys)
            arn = self._arn_of_group(key)
            self._change(key, None, lambda: self.elb.delete_target_group(TargetGroupArn=arn))

    def update_code(self) -> None:
        text = self._text()
        code = zipped(SOURCE.format(text))
        self._change("function", (sha256(code), text), lambda: self._send_code(code))

    def _update_code(self, text: str) -> bytes:
        code = zipped(SOURCE.format(text))
        self._send_code(code)
        return code

    def _send_code(self, code: bytes) -> None:
        self.functions.update_function_code(FunctionName="app", ZipFile=code)

    def settle(self) -> list[str]:
        """Ask the server what it has; return what it has lost, half done or made up."""
        actual = self._actual()
        faults = []
        for key in sorted({*actual, *self.sure, *self.doubt}):
            allowed = self.doubt.get(key, (self.sure.get(key),) * 2)
            if key == "function":
                allowed = tuple(state and state[0] for state in allowed)
            found = actual.get(key)
            if found not in allowed:
                faults.append(f"{self.account}: {key} is {found}, may be one of {allowed}")
            elif key == "function":
                self.sure[key] = next(
                    state
                    for state in (*self.doubt.get(key, ()), self.sure[key])
                    if state[0] == found
                )
            else:
                self._know(key, found)
        self.doubt.clear()
        return faults

    def _actual(self) -> dict[str, State]:
        found: dict[str, State] = {}
        rules = self.elb.describe_rules(ListenerArn=self.listener)["Rules"]
        groups = self.elb.describe_target_groups()["TargetGroups"]
        tags = self._tags(
            [
                *(rule["RuleArn"] for rule in rules if not rule["IsDefault"]),
                *(group["TargetGroupArn"] for group in groups),
            ]
        )
        for rule in rules:
            if not rule["IsDefault"]:
                self.rules[rule["Priority"]] = rule["RuleArn"]
                body = rule["Actions"][0]["FixedResponseConfig"]["MessageBody"]
                found[f"rule {rule['Priority']}"] = (body, tags[rule["RuleArn"]])
        for group in groups:
            arn = group["TargetGroupArn"]
            if arn != self.group:
                attributes = self.elb.describe_target_group_attributes(TargetGroupArn=arn)
                values = {one["Key"]: one["Value"] for one in attributes["Attributes"]}
                multi = values["lambda.multi_value_headers.enabled"]
                found[f"group {group['TargetGroupName']}"] = (tags[arn], multi)
        configuration = self.functions.get_function_configuration(FunctionName="app")
        found["function"] = configuration["CodeSha256"]
        return found

    def _tags(self, arns: list[str]) -> dict[str, dict[str, str]]:
        found = {}
        for start in range(0, len(arns), 20):
            described = self.elb.describe_tags(ResourceArns=arns[start : start + 20])
            for one in described["TagDescriptions"]:
                found[one["ResourceArn"]] = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        return found

    def faults_of_traffic(self) -> list[str]:
        """Return what requests get otherwise than `sure` says: of one rule, and the function."""
        wanted = {"/none": self.sure["function"][1]}
        if key := self._some_rule():
            wanted[f"/{key.split()[1]}"] = self.sure[key][0]
        answers = {path: get(self.port, path) for path in wanted}
        return [
            f"{self.account}: {path} is answered with {answers[path]}, not {body}"
            for path, body in wanted.items()
            if answers[path] != (200, body)
        ]


@dataclass
class _Account:
    """The server, asked for one account."""

    server: Server
    account: str

    def client(self, service: str) -> Any:
        return self.server.client(service, self.account)
