"""What a setting is, and what its value must be. See config.py, which has them all."""

import re
import socket
from collections.abc import Callable
from dataclasses import field
from typing import Any


class ConfigError(Exception):
    """A setting is wrong. The message names the place and the remedy."""


def number(low: float, high: float) -> Callable[[Any], str | None]:
    def check(value: float) -> str | None:
        return None if low <= value <= high else f"must be from {low:,} to {high:,}"

    return check


def one_of(*choices: str) -> Callable[[Any], str | None]:
    def check(value: str) -> str | None:
        return None if value in choices else "must be one of " + ", ".join(choices)

    return check


def matches(pattern: str, words: str) -> Callable[[Any], str | None]:
    def check(value: str) -> str | None:
        return None if re.fullmatch(pattern, value) else f"must be {words}"

    return check


def is_address(value: str) -> str | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, value)
        except OSError:
            continue
        return None
    return "must be an IP address, for example 127.0.0.1 or 0.0.0.0"


def is_network(value: str) -> str | None:
    from ipaddress import IPv4Network  # only when asked for: the supervisor stays small

    try:
        network = IPv4Network(value)
    except ValueError:
        return "must be an IPv4 network, for example 127.0.0.0/24"
    return None if network.prefixlen <= 30 else "must have room: a prefix of at most 30 bits"


def are_quotas(values: dict[str, object]) -> str | None:
    from albatross.model import quotas  # only when there are some

    return next(filter(None, (quotas.fault(*each) for each in values.items())), None)


def are_ports(values: dict[str, object]) -> str | None:
    for port in values.values():
        if type(port) is not int or not 1024 <= port <= 65_535:
            return f"must be names of functions and ports from 1,024 to 65,535, not {port!r}."
    return None


def are_leniencies(value: str) -> str | None:
    from albatross.model import leniency  # only when there are some

    return leniency.fault(value)


def declare(
    default: Any,
    doc: str,
    *,
    check: Callable[[Any], str | None] | None = None,
    flag: bool = False,
    metavar: str = "",
    shown: str = "",
    secret: bool = False,
) -> Any:
    """Return a dataclass field.

    `flag`: `albatross serve` has an option for it. `shown`: its default in words. `secret`: the
    value is never printed.
    """
    metadata = {"doc": doc, "check": check, "flag": flag, "metavar": metavar, "shown": shown}
    metadata["secret"] = secret
    if callable(default):
        return field(default_factory=default, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)
