"""A load balancer's listener on a socket that it may share with those of other ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Forward, Rule
from albatross.model.target_group import TargetGroup


@dataclass(frozen=True, slots=True)
class Groups:
    """Target groups by ARN, and the key from which their cookies are made."""

    by_arn: Mapping[str, TargetGroup]
    cookie_key: bytes = field(repr=False)

    def only(self, arns: Iterable[str]) -> "Groups":
        """Return those of `arns`."""
        return Groups({arn: self.by_arn[arn] for arn in arns}, self.cookie_key)


@dataclass(frozen=True, slots=True)
class Tenant:
    balancer: LoadBalancer
    listener: Listener
    rules: tuple[Rule, ...]  # in the order in which they are tried
    groups: Groups  # to which the rules forward

    @property
    def has_servers(self) -> bool:
        """Whether a rule forwards to instances or addresses."""
        return any(
            self.groups.by_arn[arn].target_type != "lambda"
            for rule in self.rules
            if isinstance(rule.action, Forward)
            for arn in rule.action.target_group_arns
        )
