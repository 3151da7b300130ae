"""Addresses of targets: which may be registered. Source: ALB user guide, "Register targets"."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from albatross.model.errors import InvalidTarget

# AWS is silent: IPv6 targets have unique local addresses; AWS asks for one of the VPC's subnets.
_RANGES = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
    )
)
_VERSIONS = {"ipv4": 4, "ipv6": 6}


def canonical(id_: str) -> str:
    """Return an address in the one form in which it is kept, anything else as it is."""
    try:
        return str(ip_address(id_))
    except ValueError:
        return id_


def check(id_: str, ip_address_type: str, *, loopback: bool) -> None:
    """Raise InvalidTarget unless `id_` is an address that a target group of this type may have.

    `loopback`: addresses of this machine may be targets.
    """
    try:
        address = ip_address(id_)
    except ValueError:
        raise InvalidTarget(f"The IP address '{id_}' is not a valid IP address") from None
    if "%" in id_ or address.version != _VERSIONS[ip_address_type]:
        raise InvalidTarget(
            f"The IP address '{id_}' is not valid for a target group with IP address type "
            f"'{ip_address_type}'"
        )
    # differs from AWS: addresses of the loopback may be targets: servers on this machine. With the
    # setting `strict` they may not.
    if not (_is_private(address) or (loopback and address.is_loopback)):
        raise InvalidTarget(
            f"The IP address '{id_}' is not within the ranges of a VPC and of RFC 1918 and RFC 6598"
        )


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _RANGES)
