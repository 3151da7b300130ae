"""A listener. Source: elbv2 API, `CreateListener`, shape `Listener`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Accepts `protocol` on `port` of its load balancer. Its default action is its default rule's."""

    kind: ClassVar[str] = "listener"

    arn: str
    load_balancer_arn: str
    port: int  # 1..65535
    protocol: str  # HTTP; HTTPS follows
    certificates: tuple[str, ...] = ()  # ARNs; the first is the default one
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.port)

    @property
    def parent(self) -> str:
        return self.load_balancer_arn
