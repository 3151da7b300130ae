"""Which certificates a client is offered by the name that it asks for (SNI). Pure.

Source: ALB user guide, "SSL certificates for your Application Load Balancer".
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from albatross.model.certificate import ServerCertificate

_WILDCARD = "*."
_HASHES = ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")  # better and better


@dataclass(frozen=True, slots=True)
class Offer:
    """The certificates for one name: at most one for each kind of key, the preferred one first."""

    certificates: tuple[ServerCertificate, ...]

    @property
    def arns(self) -> tuple[str, ...]:
        return tuple(certificate.arn for certificate in self.certificates)


def offers(listed: Iterable[ServerCertificate], now: datetime | None) -> Mapping[str, Offer]:
    """Return what is offered for each name, exact or with a wildcard, of the certificates `listed`.

    An exact name counts before a wildcard. `now` None: no certificate has expired.
    """
    by_name: defaultdict[str, list[ServerCertificate]] = defaultdict(list)
    for certificate in listed:
        for name in dict.fromkeys(certificate.names):
            by_name[name].append(certificate)
    return {name: _best(_covering(name, by_name), now) for name in by_name}


def is_wildcard(name: str) -> bool:
    return name.startswith(_WILDCARD)


def expression(name: str) -> str:
    """Return the RE2 expression of the host names that `name` covers. `*` is one label."""
    if is_wildcard(name):
        return rf"(?i)[^.]+\.{re.escape(name.removeprefix(_WILDCARD))}"
    return f"(?i){re.escape(name)}"


def _covering(
    name: str, by_name: Mapping[str, list[ServerCertificate]]
) -> Iterable[ServerCertificate]:
    _, _, parent = name.partition(".")
    for one in {name, f"{_WILDCARD}{parent}"}:
        yield from by_name.get(one, ())


def _best(candidates: Iterable[ServerCertificate], now: datetime | None) -> Offer:
    """Return the best certificate with an elliptic curve, then the best with RSA.

    A client that takes both gets the first.
    """
    ranked = sorted(candidates, key=lambda one: _rank(one, now), reverse=True)
    best: dict[str, ServerCertificate] = {}
    for certificate in ranked:
        best.setdefault(certificate.key_type, certificate)
    return Offer(tuple(best.values()))


def _rank(certificate: ServerCertificate, now: datetime | None) -> tuple[object, ...]:
    # AWS is silent: of certificates that differ in nothing else the one that is valid for the
    # longest time is offered.
    return (
        certificate.key_type == "EC",
        now is None or now <= certificate.not_after,
        _HASHES.index(_hash(certificate)),
        certificate.key_bits,
        certificate.not_after - certificate.not_before,
        certificate.arn,
    )


def _hash(certificate: ServerCertificate) -> str:
    """Return the hash of the signature. Schemes that do not name one use SHA-256 or better."""
    name = certificate.signature_algorithm.partition("WITH")[0]
    return name if name in _HASHES else "SHA256"
