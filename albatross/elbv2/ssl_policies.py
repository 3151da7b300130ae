"""DescribeSSLPolicies. Source: elbv2 API, shape `SslPolicy`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import wire
from albatross.elbv2.pagination import page
from albatross.model.errors import SSLPolicyNotFound
from albatross.model.ssl_policy import POLICIES, SslPolicy

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

_LOAD_BALANCER_TYPES = ("application", "network")


def describe_ssl_policies(_: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeSSLPolicies: all, or those named. Raises SSLPolicyNotFound, ValidationError."""
    if params.get("LoadBalancerType", "application") not in _LOAD_BALANCER_TYPES:
        return {"SslPolicies": []}
    wanted = list(dict.fromkeys(params.get("Names") or POLICIES))
    if missing := [name for name in wanted if name not in POLICIES]:
        raise SSLPolicyNotFound(f"SSL policy '{missing[0]}' not found")
    place = {name: f"{number:03}" for number, name in enumerate(POLICIES)}
    names, marker = page(wanted, params, key=place.__getitem__, of="policies")
    return {"SslPolicies": [_document(POLICIES[name]) for name in names], **marker}


def _document(policy: SslPolicy) -> wire.Document:
    return {
        "Name": policy.name,
        "SslProtocols": list(reversed(policy.protocols)),
        "Ciphers": [
            {"Name": name, "Priority": priority}
            for priority, name in enumerate(policy.ciphers, start=1)
        ],
        "SupportedLoadBalancerTypes": list(_LOAD_BALANCER_TYPES),
    }
