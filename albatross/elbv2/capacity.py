"""Reserved capacity of load balancers. Source: elbv2 API, `ModifyCapacityReservation`; ALB user
guide, "Capacity reservations", "Quotas".
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import lookup, wire
from albatross.elbv2.limits import quota
from albatross.model import quotas
from albatross.model.errors import (
    CapacityDecreaseRequestLimitExceeded,
    CapacityUnitsLimitExceeded,
    InvalidConfigurationRequest,
    ValidationError,
)
from albatross.model.leniency import Leniency
from albatross.model.load_balancer import Capacity, LoadBalancer

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

UNITS_MIN = 100  # of a reservation
# AWS is silent: the day in which capacity may be decreased twice is the last 24 hours.
_DAY = timedelta(days=1)


def describe_capacity_reservation(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeCapacityReservation. Raises LoadBalancerNotFound, ValidationError."""
    return wire.from_capacity(_balancer(tx, params))


def modify_capacity_reservation(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyCapacityReservation: reserve capacity, or nothing any more. It has no effect here.

    Raises LoadBalancerNotFound, InvalidConfigurationRequest, CapacityUnitsLimitExceeded,
    CapacityDecreaseRequestLimitExceeded, ValidationError.
    """
    # differs from AWS: reserved capacity is kept and shown, but has no effect; it is there at once.
    balancer = _balancer(tx, params)
    units = _units(params)
    decreased_at = balancer.capacity.decreased_at
    if units is not None:
        _check_quotas(tx, balancer, units)
        # AWS is silent: giving a reservation up is no decrease.
        if units < (balancer.capacity.units or 0):
            if len(decreased_at) >= wire.DECREASES_MAX:
                raise CapacityDecreaseRequestLimitExceeded(
                    f"The capacity of '{balancer.arn}' has been decreased "
                    f"'{wire.DECREASES_MAX}' times in the last day"
                )
            decreased_at = (*decreased_at, tx.now)
    capacity = Capacity(units=units, modified_at=tx.now, decreased_at=decreased_at)
    changed = replace(balancer, capacity=capacity)
    tx.put(changed)
    return wire.from_capacity(changed, state="pending")


def _balancer(tx: "Transaction", params: Mapping[str, Any]) -> LoadBalancer:
    """Return the load balancer without the decreases that count no more."""
    balancer = lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"])
    recent = tuple(at for at in balancer.capacity.decreased_at if tx.now - at < _DAY)
    return replace(balancer, capacity=replace(balancer.capacity, decreased_at=recent))


def _units(params: Mapping[str, Any]) -> int | None:
    """Return the units to reserve, None where the reservation is reset."""
    wanted = params.get("MinimumLoadBalancerCapacity")
    reset = params.get("ResetCapacityReservation")
    if wanted is None and not reset:
        raise ValidationError(
            "You must specify either 'MinimumLoadBalancerCapacity' or 'ResetCapacityReservation'"
        )
    if wanted is None:
        return None
    if reset:
        raise ValidationError(
            "'MinimumLoadBalancerCapacity' and 'ResetCapacityReservation' cannot be specified at "
            "the same time"
        )
    units: int | None = wanted.get("CapacityUnits")
    if units is None:
        raise ValidationError("Capacity units must be specified")
    if units < UNITS_MIN:
        raise InvalidConfigurationRequest(
            f"The capacity units '{units}' must be at least '{UNITS_MIN}'"
        )
    return units


def _check_quotas(tx: "Transaction", balancer: LoadBalancer, units: int) -> None:
    if units > (most := quota(tx, quotas.CAPACITY_UNITS)):
        raise CapacityUnitsLimitExceeded(
            f"Up to '{most}' capacity units can be reserved for a load balancer"
        )
    # differs from AWS: until its quota is raised, an account of AWS may reserve no capacity; here
    # it may, unless the setting `strict` is on.
    if Leniency.CAPACITY in tx.lenient and quotas.CAPACITY_UNITS_OF_REGION not in tx.quotas:
        return
    others = (each for each in tx.list(LoadBalancer) if each.arn != balancer.arn)
    reserved = units + sum(each.capacity.units or 0 for each in others)
    if reserved > (most := quota(tx, quotas.CAPACITY_UNITS_OF_REGION)):
        raise CapacityUnitsLimitExceeded(
            f"Up to '{most}' capacity units can be reserved in a Region, "
            f"but there would be '{reserved}'"
        )
