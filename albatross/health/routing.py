"""Which targets of a group get requests. Pure.

Source: ALB user guide, "Target group health" (unhealthy state routing), "Health checks for your
target groups" (fail-open).
"""

from collections.abc import Mapping

from albatross.model import attributes
from albatross.model.health import TargetHealth
from albatross.model.target_group import TargetGroup

Key = tuple[str, int | None]  # of a target: id and port

_MINIMUM = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
_USABLE = frozenset({"healthy", "unavailable"})


def routable(group: TargetGroup, states: Mapping[Key, TargetHealth]) -> frozenset[Key]:
    """Return the keys of `group`'s targets that get requests: the healthy, or all (fail-open).

    It fails open where fewer targets are healthy than the group's attributes ask for, at the least
    one. Targets that drain never get any, nor count. `states`: of those that are registered.
    """
    registered = frozenset(target.key for target in group.targets if target.draining_until is None)
    healthy = frozenset(key for key in registered if states[key].state in _USABLE)
    return healthy if _is_enough(group, len(healthy), len(registered)) else registered


def _is_enough(group: TargetGroup, healthy: int, registered: int) -> bool:
    if group.target_type == "lambda":  # which has no such attributes
        return healthy > 0
    percentage = attributes.get(group, f"{_MINIMUM}.percentage")
    if percentage != "off" and healthy * 100 < int(percentage) * registered:
        return False
    return healthy >= int(attributes.get(group, f"{_MINIMUM}.count"))
