"""All resources of all accounts and Regions at one revision.

The proxy and the host are built from it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field

from albatross.model.certificate import Certificate, PrivateBytes, ServerCertificate, for_server
from albatross.model.function import Function, Invocable
from albatross.model.function_url import FunctionUrl
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule, in_order
from albatross.model.target_group import TargetGroup
from albatross.model.trust_store import TrustStore
from albatross.model.version import Alias, Version


@dataclass(frozen=True, slots=True)
class ListenerRules:
    """The rules of one listener, and what they need."""

    rules: tuple[Rule, ...]  # in the order in which they are tried
    target_group_arns: tuple[str, ...]  # to which they forward, each once

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> "ListenerRules":
        tried = tuple(in_order(tuple(rules)))
        groups = (arn for rule in tried for arn in rule.target_group_arns)
        return cls(tried, tuple(dict.fromkeys(groups)))

    @property
    def has_default(self) -> bool:
        return bool(self.rules) and self.rules[-1].is_default


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Immutable. Each tuple is in order of creation.

    Rules are there by listener alone: a change of one then costs nothing for all the others.
    """

    revision: int
    load_balancers: tuple[LoadBalancer, ...] = ()
    listeners: tuple[Listener, ...] = ()
    by_listener: Mapping[str, ListenerRules] = field(default_factory=dict, repr=False)  # by ARN
    target_groups: tuple[TargetGroup, ...] = ()
    functions: tuple[Function, ...] = ()
    versions: tuple[Version, ...] = ()
    aliases: tuple[Alias, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    trust_stores: tuple[TrustStore, ...] = ()
    keys: Mapping[str, PrivateBytes] = field(default_factory=dict, repr=False)  # by `key_id`
    # The load balancer of each target group that one uses, by the group's ARN.
    balancer_of_group: Mapping[str, LoadBalancer] = field(init=False, repr=False)
    used: InitVar[Mapping[str, LoadBalancer] | None] = None  # the same, where it is known

    def __post_init__(self, used: Mapping[str, LoadBalancer] | None) -> None:
        object.__setattr__(self, "balancer_of_group", self._users() if used is None else used)

    def invocables(self) -> Iterator[tuple[str, Invocable]]:
        """Yield what can be a target with its ARN; $LATEST has that of its function."""
        for kind in (self.functions, self.versions, self.aliases):
            for each in kind:
                yield each.arn, each

    def function_urls(self) -> Iterator[tuple[Function | Alias, FunctionUrl]]:
        """Yield what has a function URL, and that."""
        for function in self.functions:
            if function.url is not None:
                yield function, function.url
        for alias in self.aliases:
            if alias.url is not None:
                yield alias, alias.url

    def _users(self) -> dict[str, LoadBalancer]:
        listeners = {listener.arn: listener for listener in self.listeners}
        balancers = {balancer.arn: balancer for balancer in self.load_balancers}
        found = {}
        for listener_arn, tried in self.by_listener.items():
            listener = listeners.get(listener_arn)
            balancer = balancers.get(listener.load_balancer_arn) if listener else None
            if balancer is not None:  # else the proxy's translator refuses the snapshot
                found.update(dict.fromkeys(tried.target_group_arns, balancer))
        return found


def server_certificates(
    certificates: Iterable[Certificate], keys: Mapping[str, PrivateBytes]
) -> dict[str, ServerCertificate]:
    """Return each certificate with its key, by ARN. One whose key is lost is absent."""
    return {
        certificate.arn: for_server(certificate, key)
        for certificate in certificates
        if (key := keys.get(certificate.key_id)) is not None
    }
