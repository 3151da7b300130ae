"""Security policies: which protocols and ciphers an HTTPS listener offers.

Source: ALB user guide, "Security policies for your Application Load Balancer"; examples of the AWS
CLI, `describe-ssl-policies`, for names that the guide no longer lists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DEFAULT = "ELBSecurityPolicy-2016-08"
PREFIX = "ELBSecurityPolicy-"


@dataclass(frozen=True, slots=True)
class SslPolicy:
    """Protocols and ciphers, both in order of preference, by the names that OpenSSL gives them."""

    name: str
    protocols: tuple[str, ...]  # TLSv1.3 ... TLSv1
    ciphers: tuple[str, ...]

    @property
    def is_post_quantum(self) -> bool:
        return "-PQ-" in self.name


_V13 = ("TLSv1.3",)
_V12 = ("TLSv1.2",)
_V11 = (*_V12, "TLSv1.1")
_V10 = (*_V11, "TLSv1")

_FIPS_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384")
_ALL_13 = (*_FIPS_13, "TLS_CHACHA20_POLY1305_SHA256")


def _ecdhe(*ciphers: str) -> tuple[str, ...]:
    """Return each cipher for keys of both kinds."""
    return tuple(f"ECDHE-{key}-{cipher}" for cipher in ciphers for key in ("ECDSA", "RSA"))


_RES = _ecdhe("AES128-GCM-SHA256", "AES256-GCM-SHA384")
_FORWARD_SECRET = _ecdhe("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA384")
_WITH_SHA1 = _ecdhe(
    *("AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA"),
    *("AES256-GCM-SHA384", "AES256-SHA384", "AES256-SHA"),
)
# The guide's order in the FIPS and FS families: the last two the other way round.
_WITH_SHA1_FIPS = (*_WITH_SHA1[:-2], _WITH_SHA1[-1], _WITH_SHA1[-2])
_RSA_SHA2 = ("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256")
_RSA = (
    *("AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA"),
    *("AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA"),
)
_WIDE = (*_WITH_SHA1, *_RSA)
_WIDE_FIPS = (*_WITH_SHA1_FIPS, *_RSA)

_CNSA_13 = ("TLS_AES_256_GCM_SHA384",)
_INTEROP_13 = (*_CNSA_13, "TLS_AES_128_GCM_SHA256")
_CNSA = _ecdhe("AES256-GCM-SHA384")
_INTEROP3 = _ecdhe(
    *("AES256-GCM-SHA384", "AES256-SHA384", "AES256-SHA"),
    *("AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA"),
)
_INTEROP4 = (*_INTEROP3, *_RSA[3:], *_RSA[:3])

# Protocols below TLS 1.3, ciphers of those; the part of the name after `TLS13-1-`.
_TLS13 = {
    "3": ((), ()),
    "2": (_V12, _FORWARD_SECRET),
    "2-Res": (_V12, _RES),
    "2-Ext2": (_V12, _WIDE),
    "2-Ext1": (_V12, (*_FORWARD_SECRET, *_RSA_SHA2)),
    "1": (_V11, _WIDE),
    "0": (_V10, _WIDE),
}
_FIPS = {
    **_TLS13,
    "2-Ext2": (_V12, _WIDE_FIPS),
    "2-Ext0": (_V12, _WITH_SHA1_FIPS),
    "1": (_V11, _WIDE_FIPS),
    "0": (_V10, _WIDE_FIPS),
}
_WITHOUT_POST_QUANTUM = "1"
_RFC9151 = {
    "3-RFC9151": ((), _CNSA_13, ()),
    "2-RFC9151": (_V12, _CNSA_13, _CNSA),
    "2-Ext0-RFC9151": (_V12, _CNSA_13, (*_CNSA, "AES256-GCM-SHA384")),
    "2-RFC9151-INTEROP1": (_V12, _INTEROP_13, _ecdhe("AES256-GCM-SHA384", "AES128-GCM-SHA256")),
    "2-RFC9151-INTEROP2": (
        _V12,
        _INTEROP_13,
        _ecdhe("AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-SHA384", "AES128-SHA256"),
    ),
    "2-RFC9151-INTEROP3": (_V12, _INTEROP_13, _INTEROP3),
    "2-RFC9151-INTEROP4": (_V12, _INTEROP_13, _INTEROP4),
}
_OLDER = {
    "2016-08": (_V10, _WIDE),
    "TLS-1-2-2017-01": (_V12, (*_FORWARD_SECRET, *_RSA_SHA2)),
    "TLS-1-1-2017-01": (_V11, _WIDE),
    "TLS-1-2-Ext-2018-06": (_V12, _WIDE),
    "FS-2018-06": (_V10, _WITH_SHA1_FIPS),
    "2015-05": (_V10, _WIDE),
    "TLS-1-0-2015-04": (_V10, (*_WIDE, "DES-CBC3-SHA")),
    "FS-1-2-Res-2019-08": (_V12, _FORWARD_SECRET),
    "FS-1-1-2019-08": (_V11, _WITH_SHA1_FIPS),
    "FS-1-2-2019-08": (_V12, _WITH_SHA1_FIPS),
    "FS-1-2-Res-2020-10": (_V12, _RES),
}


def _policies() -> Iterator[SslPolicy]:
    for name, (protocols, ciphers) in _OLDER.items():
        yield SslPolicy(PREFIX + name, protocols, ciphers)
    for name, (below, ciphers) in _TLS13.items():
        for date in ("2021-06", "PQ-2025-09"):
            if date == "2021-06" or name != _WITHOUT_POST_QUANTUM:
                full = f"{PREFIX}TLS13-1-{name}-{date}"
                yield SslPolicy(full, _V13 + below, _ALL_13 + ciphers)
    for name, (below, ciphers) in _FIPS.items():
        for date in ("2023-04", "PQ-2025-09"):
            if date == "2023-04" or name != _WITHOUT_POST_QUANTUM:
                full = f"{PREFIX}TLS13-1-{name}-FIPS-{date}"
                yield SslPolicy(full, _V13 + below, _FIPS_13 + ciphers)
    for name, (below, newest, ciphers) in _RFC9151.items():
        full = f"{PREFIX}TLS13-1-{name}-FIPS-2023-07"
        yield SslPolicy(full, _V13 + below, newest + ciphers)


POLICIES: Mapping[str, SslPolicy] = {policy.name: policy for policy in _policies()}
