"""A rule, its conditions, its action and its transforms. Source: elbv2 API, `CreateRule`, `Rule`.

Conditions, actions and transforms are closed unions: who matches on them ends with `assert_never`,
so that mypy names every place to change when one is added.
"""

from dataclasses import dataclass
from typing import ClassVar

PRIORITY_MIN, PRIORITY_MAX = 1, 50_000  # botocore elbv2 shape `RulePriority`
TARGET_GROUPS_MAX = 5  # in one forward action
WEIGHT_MAX = 999
STICKINESS_S_MAX = 604_800


@dataclass(frozen=True, slots=True, kw_only=True)
class HostHeader:
    """Holds when the Host header's name, without a port, matches one of the values, any case."""

    values: tuple[str, ...] = ()  # wildcards * and ?
    regex_values: tuple[str, ...] = ()  # instead of values; RE2


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern:
    """Holds when the path matches one of the values, case counting. The query is not looked at."""

    values: tuple[str, ...] = ()  # wildcards * and ?
    regex_values: tuple[str, ...] = ()  # instead of values; RE2


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHeader:
    """Holds when one line of the header matches one of the values, any case."""

    header_name: str  # as given; any case
    values: tuple[str, ...] = ()  # wildcards * and ?
    regex_values: tuple[str, ...] = ()  # instead of values; RE2


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequestMethod:
    """Holds when the method is one of `values`, case counting."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryParameter:
    """A parameter of the query to look for. Wildcards are * and ?, both escaped by a backslash."""

    key: str | None = None  # None: any
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryString:
    """Holds when one of `values` is in the query, any case."""

    values: tuple[QueryParameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceIp:
    """Holds when the other end of the connection is in one of `values`, blocks of addresses."""

    values: tuple[str, ...]  # CIDR, IPv4 or IPv6


Condition = HostHeader | PathPattern | HttpHeader | HttpRequestMethod | QueryString | SourceIp


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedTargetGroup:
    arn: str
    weight: int = 1  # 0..WEIGHT_MAX; 0: gets no new traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Hand the request to one of the target groups, chosen at random by weight.

    With `is_sticky` a client stays with the group that it got until `stickiness_s` have passed
    since its last request.
    """

    target_groups: tuple[WeightedTargetGroup, ...]  # 1..TARGET_GROUPS_MAX, each once
    is_sticky: bool = False
    stickiness_s: int | None = None  # 1..STICKINESS_S_MAX; kept as given where not is_sticky
    order: int | None = None  # as given

    def __post_init__(self) -> None:
        assert 1 <= len(self.target_groups) <= TARGET_GROUPS_MAX
        assert not self.is_sticky or self.stickiness_s

    @classmethod
    def to(cls, target_group_arn: str, *, order: int | None = None) -> "Forward":
        """Return the action that forwards to this group alone."""
        return cls(target_groups=(WeightedTargetGroup(arn=target_group_arn),), order=order)

    @property
    def target_group_arns(self) -> tuple[str, ...]:
        return tuple(group.arn for group in self.target_groups)


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
class HostHeaderRewrite:
    """Replace what `regex` finds in Host by `replace`; `$1` there is the first group."""

    regex: str  # RE2
    replace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRewrite:
    """Replace what `regex` finds in path and query by `replace`; `$1` there is the first group."""

    regex: str  # RE2
    replace: str


Transform = HostHeaderRewrite | UrlRewrite


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
    transforms: tuple[Transform, ...] = ()  # at most one of each kind

    def __post_init__(self) -> None:
        assert self.priority is None or PRIORITY_MIN <= self.priority <= PRIORITY_MAX
        assert (self.priority is None) == (not self.conditions)
        assert self.priority is not None or not self.transforms

    @property
    def is_default(self) -> bool:
        return self.priority is None

    @property
    def target_group_arns(self) -> tuple[str, ...]:
        """The target groups to which it forwards, if it does."""
        return self.action.target_group_arns if isinstance(self.action, Forward) else ()

    @property
    def name(self) -> str:
        return "default" if self.priority is None else str(self.priority)

    @property
    def parent(self) -> str:
        return self.listener_arn


def in_order(rules: "list[Rule] | tuple[Rule, ...]") -> list[Rule]:
    """Return `rules` in the order in which a listener tries them: by priority, the default last."""
    return sorted(rules, key=lambda rule: (rule.is_default, rule.priority or 0))
