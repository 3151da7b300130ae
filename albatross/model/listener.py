"""A listener. Source: elbv2 API, `CreateListener`, shapes `Listener`,
`MutualAuthenticationAttributes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class MutualAuthentication:
    """What an HTTPS listener does with the certificates of clients."""

    mode: str = "off"  # off | passthrough | verify
    trust_store_arn: str | None = None  # in verify mode, and there always
    ignore_expiry: bool = False
    advertise_ca_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Accepts `protocol` on a port of its load balancer. Its default action is a rule's."""

    kind: ClassVar[str] = "listener"

    arn: str
    load_balancer_arn: str
    port: int  # 1..65535
    protocol: str  # HTTP | HTTPS
    certificates: tuple[str, ...] = ()  # ARNs: the default one, then the list for SNI
    ssl_policy: str | None = None  # of an HTTPS listener
    mutual_authentication: MutualAuthentication = MutualAuthentication()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.port)

    @property
    def parent(self) -> str:
        return self.load_balancer_arn
