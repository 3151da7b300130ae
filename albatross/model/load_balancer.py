"""A load balancer. Source: elbv2 API, `CreateLoadBalancer`, shape `LoadBalancer`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One subnet of a load balancer and the Availability Zone it stands for."""

    subnet_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What was asked for with ModifyCapacityReservation: `units` (LCU), None where nothing is.

    `decreased_at` holds the decreases of the last day, oldest first.
    """

    units: int | None = None
    modified_at: datetime | None = None
    decreased_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """Accepts connections on its listeners' ports.

    `attributes` holds what a user has set; defaults are in `model/attributes.py`.
    `slot` counts load balancers from 0, reusing freed numbers; it picks the address when the server
    gives each load balancer one of its own.
    """

    kind: ClassVar[str] = "load-balancer"

    arn: str
    name: str
    dns_name: str
    scheme: str  # internet-facing | internal
    ip_address_type: str
    zones: tuple[Zone, ...]
    security_groups: tuple[str, ...]
    vpc_id: str
    created_at: datetime
    slot: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    ipam_pool: str | None = None  # the IPAM pool of public IPv4 addresses
    capacity: Capacity = Capacity()

    @property
    def parent(self) -> str | None:
        return None
