"""Certificates by ARN, and which load balancers use them."""

import re
from typing import TYPE_CHECKING

from albatross.model.certificate import Certificate
from albatross.model.errors import InvalidArnException, ResourceNotFoundException
from albatross.model.listener import Listener

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

_ARN = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+")


def by_arn(tx: "Transaction", arn: str) -> Certificate:
    """Return the certificate. Raises InvalidArnException, ResourceNotFoundException."""
    if not _ARN.fullmatch(arn):
        raise InvalidArnException(f"'{arn}' is not the ARN of a certificate")
    certificate = tx.get(Certificate, arn)
    if certificate is None:
        raise ResourceNotFoundException(
            f"Certificate with arn {arn} not found in account {tx.scope.account}"
        )
    return certificate


def users(tx: "Transaction") -> dict[str, list[str]]:
    """Return the ARNs of the load balancers that use each certificate, by its ARN."""
    used: dict[str, list[str]] = {}
    for listener in tx.list(Listener):
        for arn in listener.certificates:
            balancers = used.setdefault(arn, [])
            if listener.load_balancer_arn not in balancers:
                balancers.append(listener.load_balancer_arn)
    return used
