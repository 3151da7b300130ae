"""All resources of all accounts and Regions at one revision: what the proxy and the host are built from."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from albatross.model.certificate import Certificate, PrivateBytes, ServerCertificate, for_server
from albatross.model.function import Function
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Forward, Rule, in_order
from albatross.model.target_group import TargetGroup
from albatross.model.trust_store import TrustStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Immutable. Each tuple is in order of creation, except that `rules` may be in any order."""

    revision: int
    load_balancers: tuple[LoadBalancer, ...] = ()
    listeners: tuple[Listener, ...] = ()
    rules: tuple[Rule, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
    functions: tuple[Function, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    trust_stores: tuple[TrustStore, ...] = ()
    keys: Mapping[str, PrivateBytes] = field(default_factory=dict, repr=False)  # by `key_id`

    def rules_by_listener(self) -> dict[str, list[Rule]]:
        """Return each listener's rules in the order in which they are tried."""
        rules = defaultdict(list)
        for rule in self.rules:
            rules[rule.listener_arn].append(rule)
        return {arn: in_order(group) for arn, group in rules.items()}

    def server_certificates(self) -> dict[str, ServerCertificate]:
        """Return each certificate with its key, by ARN. One whose key is lost is absent."""
        return {
            certificate.arn: for_server(certificate, key)
            for certificate in self.certificates
            if (key := self.keys.get(certificate.key_id)) is not None
        }

    def load_balancer_of_target_group(self) -> dict[str, LoadBalancer]:
        """Return, by target group ARN, the load balancer that uses it. Unused groups are absent."""
        listeners = {listener.arn: listener for listener in self.listeners}
        balancers = {balancer.arn: balancer for balancer in self.load_balancers}
        used = {}
        for rule in self.rules:
            if isinstance(rule.action, Forward):
                listener = listeners[rule.listener_arn]
                for arn in rule.action.target_group_arns:
                    used[arn] = balancers[listener.load_balancer_arn]
        return used
