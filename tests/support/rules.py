"""Rules as the API takes them: conditions, actions and transforms in few words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stack import Front, request

Document = dict[str, Any]


def host(*values: str, regex: Sequence[str] = ()) -> Document:
    return {"Field": "host-header", "HostHeaderConfig": _values(values, regex)}


def path(*values: str, regex: Sequence[str] = ()) -> Document:
    return {"Field": "path-pattern", "PathPatternConfig": _values(values, regex)}


def header(name: str, *values: str, regex: Sequence[str] = ()) -> Document:
    config = {"HttpHeaderName": name, **_values(values, regex)}
    return {"Field": "http-header", "HttpHeaderConfig": config}


def method(*values: str) -> Document:
    return {
        "Field": "http-request-method",
        "HttpRequestMethodConfig": {"Values": list(values)},
    }


def query(*pairs: str | tuple[str, str]) -> Document:
    """Return a condition on values alone, or on keys with values."""
    values = [
        {"Value": pair} if isinstance(pair, str) else {"Key": pair[0], "Value": pair[1]}
        for pair in pairs
    ]
    return {"Field": "query-string", "QueryStringConfig": {"Values": values}}


def source(*blocks: str) -> Document:
    return {"Field": "source-ip", "SourceIpConfig": {"Values": list(blocks)}}


def _values(values: Sequence[str], regex: Sequence[str]) -> Document:
    return {"RegexValues": list(regex)} if regex else {"Values": list(values)}


ANY = path("*")


def weighted(weights: Mapping[str, int], *, sticky_s: int | None = None) -> Document:
    """Return a forward to groups by weight; `sticky_s`: for how long clients stay with theirs."""
    config: Document = {
        "TargetGroups": [{"TargetGroupArn": arn, "Weight": n} for arn, n in weights.items()]
    }
    if sticky_s:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky_s}
    return {"Type": "forward", "ForwardConfig": config}


def url_rewrite(regex: str, replace: str) -> Document:
    rewrites = [{"Regex": regex, "Replace": replace}]
    return {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": rewrites}}


def host_rewrite(regex: str, replace: str) -> Document:
    rewrites = [{"Regex": regex, "Replace": replace}]
    return {"Type": "host-header-rewrite", "HostHeaderRewriteConfig": {"Rewrites": rewrites}}


@contextmanager
def rule(
    front: Front, *conditions: Document, action: Document, priority: int = 1, **more: Any
) -> Iterator[str]:
    """Have a rule for a while. Yields its ARN."""
    made = front.stack.elb.create_rule(
        ListenerArn=front.listener,
        Priority=priority,
        Conditions=list(conditions),
        Actions=[action],
        **more,
    )["Rules"][0]
    arn: str = made["RuleArn"]
    try:
        yield arn
    finally:
        front.stack.elb.delete_rule(RuleArn=arn)


@dataclass
class Matching:
    """A load balancer with one rule, whose condition is what a test asks about."""

    front: Front
    rule: str
    condition: Document | None = None

    def __call__(self, condition: Document, line: str, *lines: str, **options: Any) -> bool:
        """Tell whether `condition` holds for a request. `line`: its method and target."""
        if condition != self.condition:
            self.front.stack.elb.modify_rule(RuleArn=self.rule, Conditions=[condition])
            self.condition = condition
        body = self.front.send(request(line, *lines, **options)).body
        assert body in (b"rule", b"default"), body
        return body == b"rule"


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Return code and message of the error that a call of the API ends in."""
    with pytest.raises(ClientError) as raised:
        call(**params)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]
