"""A load balancer's listener on a socket that it may share with those of other ones."""

from dataclasses import dataclass

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule


@dataclass(frozen=True, slots=True)
class Tenant:
    balancer: LoadBalancer
    listener: Listener
    rules: tuple[Rule, ...]  # in the order in which they are tried
