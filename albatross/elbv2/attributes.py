"""Attributes of load balancers, target groups and listeners, described and changed.

Source: elbv2 API, `ModifyLoadBalancerAttributes` and its relatives. What the keys mean, their
defaults and their values: model/attributes.py.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import associations, lookup, wire
from albatross.model import attributes
from albatross.model.errors import InvalidConfigurationRequest, ValidationError
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.target_group import ALL_ZONES, TargetGroup

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

_LOGS = {
    "access_logs": "access logs",
    "connection_logs": "connection logs",
    "health_check_logs": "health check logs",
}
_BUCKET = re.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # Amazon S3 user guide, naming rules
_CROSS_ZONE = "load_balancing.cross_zone.enabled"
# Load balancer attributes that AWS knows, but not for Application Load Balancers.
_OTHER_TYPES = {"dns_record.client_routing_policy", "secondary_ips.auto_assigned.per_subnet"}
# Those of listeners and target groups, for other protocols than HTTP and HTTPS.
_OTHER_PROTOCOLS = {
    "tcp.idle_timeout.seconds",
    "send_tcp_reset.on_idle_timeout.enabled",
    "deregistration_delay.connection_termination.enabled",
    "preserve_client_ip.enabled",
    "proxy_protocol_v2.enabled",
    "target_health_state.unhealthy.connection_termination.enabled",
    "target_health_state.unhealthy.draining_interval_seconds",
    "target_failover.on_deregistration",
    "target_failover.on_unhealthy",
    "send_tcp_reset.on_unhealthy.enabled",
    "send_tcp_reset.on_deregistration.enabled",
}
_OF_LISTENERS = {*attributes.LISTENER, *_OTHER_PROTOCOLS}
_OF_TARGET_GROUPS = {*attributes.TARGET_GROUP, *_OTHER_PROTOCOLS}


def describe_load_balancer_attributes(
    tx: "Transaction", params: Mapping[str, Any]
) -> wire.Document:
    """DescribeLoadBalancerAttributes: all there are. Raises LoadBalancerNotFound."""
    return _described(lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"]))


def modify_load_balancer_attributes(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyLoadBalancerAttributes: all of them, or none where one is not valid.

    Raises LoadBalancerNotFound, InvalidConfigurationRequest, ValidationError.
    """
    balancer = lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"])
    new = _wanted(params)
    for key in new:
        if key in _OTHER_TYPES:
            raise InvalidConfigurationRequest(
                f"Load balancer attribute key '{key}' is not supported on load balancers "
                "with type 'application'"
            )
    _check(balancer, "Load balancer", new)
    changed = replace(balancer, attributes={**balancer.attributes, **new})
    _check_load_balancer(changed)
    tx.put(changed)
    return _described(changed)


def describe_target_group_attributes(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeTargetGroupAttributes: all that its target type has. Raises TargetGroupNotFound."""
    return _described(lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"]))


def modify_target_group_attributes(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyTargetGroupAttributes: all of them, or none where one is not valid.

    Raises TargetGroupNotFound, InvalidConfigurationRequest, ValidationError.
    """
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    new = _wanted(params)
    # AWS is silent: an attribute of other target types is refused with InvalidConfigurationRequest,
    # one that does not exist with ValidationError.
    for key in new:
        if key in _OF_TARGET_GROUPS and key not in attributes.supported(group):
            raise InvalidConfigurationRequest(
                f"A target group with target type '{group.target_type}' "
                f"does not support the attribute {key}"
            )
    if (kind := new.get("stickiness.type")) in _STICKINESS_OF_OTHERS and group.protocol is not None:
        raise InvalidConfigurationRequest(
            f"Stickiness type '{kind}' is not supported for target groups "
            f"with the {group.protocol} protocol"
        )
    _check(group, "Target group", new)
    if new.get(_CROSS_ZONE) == "false":
        _check_zones(group)
    changed = replace(group, attributes={**group.attributes, **new})
    if group.target_type != "lambda":
        _check_servers(changed)
        _check_thresholds(changed)
        associations.check_stickiness(tx, changed)
    tx.put(changed)
    return _described(changed)


def describe_listener_attributes(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeListenerAttributes: all that its protocol has. Raises ListenerNotFound."""
    return _described(lookup.by_arn(tx, Listener, params["ListenerArn"]))


def modify_listener_attributes(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyListenerAttributes: all of them, or none where one is not valid.

    Raises ListenerNotFound, InvalidConfigurationRequest, ValidationError.
    """
    listener = lookup.by_arn(tx, Listener, params["ListenerArn"])
    new = _wanted(params)
    for key in new:
        if key in _OF_LISTENERS and key not in attributes.supported(listener):
            raise InvalidConfigurationRequest(
                f"Listener attribute key '{key}' is not supported on listeners "
                f"with protocol '{listener.protocol}'"
            )
    _check(listener, "Listener", new)
    changed = replace(listener, attributes={**listener.attributes, **new})
    tx.put(changed)
    return _described(changed)


def _described(resource: LoadBalancer | TargetGroup | Listener) -> wire.Document:
    return {
        "Attributes": [
            {"Key": key, "Value": attributes.get(resource, key)}
            for key in attributes.supported(resource)
        ]
    }


def _wanted(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the member `Attributes` as key and value."""
    wanted: dict[str, str] = {}
    for attribute in params["Attributes"]:
        key = attribute.get("Key")
        if not key:
            raise ValidationError("An attribute key must be specified")
        if key in wanted:
            raise ValidationError(f"Attribute key '{key}' was specified more than once")
        wanted[key] = attribute.get("Value", "")
    if not wanted:
        raise ValidationError("An attribute must be specified")
    return wanted


def _check(
    resource: LoadBalancer | TargetGroup | Listener, noun: str, new: Mapping[str, str]
) -> None:
    """Raise ValidationError for the first key or value that is not valid."""
    known = attributes.supported(resource)
    for key, value in new.items():
        if key not in known:
            raise ValidationError(f"{noun} attribute key '{key}' is not recognized")
        if complaint := known[key].check.complaint(key, value):
            raise ValidationError(complaint)


# Those that target groups of Network and of Gateway Load Balancers have.
_STICKINESS_OF_OTHERS = ("source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto")
# Value of an attribute -> the attributes that it forbids, with the one value they may have.
_EXCLUSIONS = (
    ("load_balancing.algorithm.type", "weighted_random", "stickiness.enabled", "false"),
    ("load_balancing.algorithm.type", "weighted_random", "slow_start.duration_seconds", "0"),
    (
        *("load_balancing.algorithm.type", "least_outstanding_requests"),
        *("slow_start.duration_seconds", "0"),
    ),
    (_CROSS_ZONE, "false", "stickiness.enabled", "false"),
)


def _check_servers(group: TargetGroup) -> None:
    """Check what concerns several attributes of a target group of instances or addresses."""
    # AWS is silent: attributes that exclude each other are refused with
    # InvalidConfigurationRequest.
    values = {key: attributes.get(group, key) for key in attributes.supported(group)}
    for key, value, other, required in _EXCLUSIONS:
        if values[key] == value and values[other] != required:
            raise InvalidConfigurationRequest(
                f"'{other}' must be '{required}' where '{key}' is '{value}'"
            )
    algorithm = values["load_balancing.algorithm.type"]
    mitigation = "load_balancing.algorithm.anomaly_mitigation"
    if values[mitigation] == "on" and algorithm != "weighted_random":
        raise InvalidConfigurationRequest(
            f"'{mitigation}' can only be 'on' where 'load_balancing.algorithm.type' is "
            "'weighted_random'"
        )
    if (
        values["stickiness.enabled"] == "true"
        and values["stickiness.type"] == "app_cookie"
        and not values["stickiness.app_cookie.cookie_name"]
    ):
        raise InvalidConfigurationRequest(
            "You must set an application cookie name to enable stickiness of type 'app_cookie'"
        )


def _check_zones(group: TargetGroup) -> None:
    """Check that `group`'s targets can do without cross-zone load balancing."""
    if any(target.availability_zone == ALL_ZONES for target in group.targets):
        raise InvalidConfigurationRequest(
            f"'{_CROSS_ZONE}' cannot be 'false' while targets are registered with the "
            f"Availability Zone '{ALL_ZONES}'"
        )


def _check_thresholds(group: TargetGroup) -> None:
    """Check that zones fail over in DNS no later than in routing, where a user has set both."""
    for unit in ("count", "percentage"):
        dns, routing = (
            f"target_group_health.{action}.minimum_healthy_targets.{unit}"
            for action in ("dns_failover", "unhealthy_state_routing")
        )
        given = [group.attributes.get(key, "off") for key in (dns, routing)]
        if "off" not in given and int(given[0]) < int(given[1]):
            raise InvalidConfigurationRequest(
                f"'{dns}' must be greater than or equal to '{routing}'"
            )


def _check_load_balancer(balancer: LoadBalancer) -> None:
    """Check what concerns several attributes, or a fixed one."""
    if attributes.get(balancer, _CROSS_ZONE) != "true":
        raise InvalidConfigurationRequest(
            f"The value for '{_CROSS_ZONE}' must always be 'true' for an Application Load Balancer"
        )
    for log, noun in _LOGS.items():
        enabled, bucket, prefix = (
            attributes.get(balancer, f"{log}.s3.{part}") for part in ("enabled", "bucket", "prefix")
        )
        if enabled == "true" and not bucket:
            raise InvalidConfigurationRequest(
                f"The key '{log}.s3.bucket' must set in order to enable {noun}"
            )
        if enabled == "true" and not _BUCKET.fullmatch(bucket):
            # differs from AWS: logs go to files, so the bucket need not exist.
            raise InvalidConfigurationRequest(
                f"Access Denied for bucket: {bucket}. Please check S3bucket permission"
            )
        if "AWSLogs" in prefix:
            raise InvalidConfigurationRequest(
                f"The value for '{log}.s3.prefix' must not contain 'AWSLogs'"
            )
