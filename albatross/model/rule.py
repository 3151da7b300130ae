"""A rule, its conditions and its action. Source: elbv2 API, `CreateRule`, shape `Rule`.

Conditions and actions are closed unions: who matches on them ends with `assert_never`, so that
mypy names every place to change when one is added.
"""

from dataclasses import dataclass
from typing import ClassVar

PRIORITY_MIN, PRIORITY_MAX = 1, 50_000  # botocore elbv2 shape `RulePriority`


@dataclass(frozen=True, slots=True, kw_only=True)
class HostHeader:
    """Holds when the Host header's name, without a port, matches one of `values`, any case."""

    values: tuple[str, ...]  # wildcards * and ?


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern:
    """Holds when the path matches one of `values`, case counting. The query is not looked at."""

    values: tuple[str, ...]  # wildcards * and ?


# Still to come: HttpHeader, HttpRequestMethod, QueryString, SourceIp.
Condition = HostHeader | PathPattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Hand the request to a target group. Several weighted ones are still to come."""

    target_group_arn: str
    weight: int = 1  # 1..999; of no effect while there is one target group
    order: int | None = None  # as given


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Answer with a Location. Each part may hold `#{protocol} #{host} #{port} #{path} #{query}`."""

    status_code: int  # 301 | 302
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"
    order: int | None = None  # as given


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedResponse:
    """Answer with this status and body."""

    status_code: int  # 2xx, 4xx, 5xx
    content_type: str | None = None
    message_body: str | None = None  # up to 1,024 characters
    order: int | None = None  # as given


Action = Forward | Redirect | FixedResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When every condition holds, the listener performs `action`.

    Rules are tried from the lowest priority up; the default rule comes last.
    """

    kind: ClassVar[str] = "rule"

    arn: str
    listener_arn: str
    priority: int | None  # PRIORITY_MIN..PRIORITY_MAX; None marks the default rule
    conditions: tuple[Condition, ...]
    action: Action

    def __post_init__(self) -> None:
        assert self.priority is None or PRIORITY_MIN <= self.priority <= PRIORITY_MAX
        assert (self.priority is None) == (not self.conditions)

    @property
    def is_default(self) -> bool:
        return self.priority is None

    @property
    def name(self) -> str:
        return "default" if self.priority is None else str(self.priority)

    @property
    def parent(self) -> str:
        return self.listener_arn


def in_order(rules: "list[Rule] | tuple[Rule, ...]") -> list[Rule]:
    """Return `rules` in the order in which a listener tries them: by priority, the default last."""
    return sorted(rules, key=lambda rule: (rule.is_default, rule.priority or 0))
