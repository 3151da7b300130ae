"""A load balancer's listener on a socket that it may share with those of other ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule
from albatross.model.target_group import TargetGroup


@dataclass(frozen=True, slots=True)
class Groups:
    """All target groups by ARN, and the key from which their cookies are made."""

    by_arn: Mapping[str, TargetGroup]
    cookie_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tenant:
    balancer: LoadBalancer
    listener: Listener
    rules: tuple[Rule, ...]  # in the order in which they are tried
    groups: Groups
