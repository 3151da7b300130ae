"""A load balancer's listener on a socket that it may share with those of other ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import HostHeader, Rule
from albatross.model.target_group import TargetGroup


@dataclass(frozen=True, slots=True)
class Groups:
    """Target groups by ARN, and the key from which their cookies are made."""

    by_arn: Mapping[str, TargetGroup]
    cookie_key: bytes = field(repr=False)

    @classmethod
    def of(cls, groups: Iterable[TargetGroup], cookie_key: bytes) -> "Groups":
        return cls({group.arn: group for group in groups}, cookie_key)


@dataclass(frozen=True, slots=True)
class Door:
    """What of a tenant a connection meets before a request takes one of its rules."""

    balancer: LoadBalancer
    listener: Listener
    has_servers: bool = False  # whether a rule forwards to instances or addresses
    hosts: tuple[HostHeader, ...] = ()  # the conditions of its rules on the host, each once


@dataclass(frozen=True)
class Tenant:
    balancer: LoadBalancer
    listener: Listener
    rules: tuple[Rule, ...]  # in the order in which they are tried
    groups: Groups  # to which the rules forward

    @cached_property
    def hosts(self) -> tuple[HostHeader, ...]:
        """The conditions of the rules on the host, each once."""
        conditions = (condition for rule in self.rules for condition in rule.conditions)
        return tuple(dict.fromkeys(one for one in conditions if isinstance(one, HostHeader)))

    @property
    def door(self) -> Door:
        groups = self.groups.by_arn.values()
        has_servers = any(group.target_type != "lambda" for group in groups)
        return Door(self.balancer, self.listener, has_servers, self.hosts)
