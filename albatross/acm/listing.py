"""ListCertificates. Source: ACM API, shapes `ListCertificatesRequest`, `Filters`."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from albatross.acm import lookup, wire
from albatross.model.certificate import Certificate
from albatross.model.errors import InvalidArgsException, ValidationException

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

# AWS is silent: ListCertificates without MaxItems answers with up to 1,000 certificates.
PAGE_SIZE_MAX = 1_000  # botocore acm shape `MaxItems`
DEFAULT_KEY_TYPES = ("RSA_1024", "RSA_2048")


def list_certificates(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """ListCertificates, a page at a time. Raises InvalidArgsException, ValidationException."""
    if ("SortBy" in params) != ("SortOrder" in params):
        raise ValidationException("SortBy and SortOrder must be specified together.")
    wanted = [each for each in tx.list(Certificate) if _is_wanted(tx, each, params)]
    if params.get("SortOrder") == "DESCENDING":
        wanted.reverse()  # they are in order of creation
    page, more = _page(wanted, params)
    used = lookup.users(tx)
    summaries = [wire.summary(each, each.arn in used, tx.now) for each in page]
    return {"CertificateSummaryList": summaries, **more}


def _is_wanted(tx: "Transaction", certificate: Certificate, params: Mapping[str, Any]) -> bool:
    includes = params.get("Includes", {})
    facts = certificate.facts
    statuses = params.get("CertificateStatuses")
    origins = params.get("CertificateKeyPairOrigins")
    exports = includes.get("exportOption", certificate.export)
    # AWS is silent: of several key usages in a filter, a certificate must have all.
    return (
        (not statuses or certificate.status(tx.now) in statuses)
        and (not origins or wire.key_pair_origin(certificate) in origins)
        and facts.key_algorithm in (includes.get("keyTypes") or DEFAULT_KEY_TYPES)
        and set(includes.get("keyUsage", ())) <= set(facts.key_usages)
        and set(includes.get("extendedKeyUsage", ())) <= set(facts.extended_key_usages.values())
        and exports == certificate.export
        and "managedBy" not in includes
    )


def _page(
    wanted: list[Certificate], params: Mapping[str, Any]
) -> tuple[list[Certificate], dict[str, str]]:
    """Return one page and its `NextToken` if any. A token names the last certificate shown."""
    if token := params.get("NextToken"):
        try:
            last = urlsafe_b64decode(token.encode("ascii")).decode()
        except ValueError:
            last = ""
        places = [place for place, each in enumerate(wanted) if each.arn == last]
        if not places:
            raise InvalidArgsException("The NextToken is not valid.")
        wanted = wanted[places[0] + 1 :]
    size = params.get("MaxItems", PAGE_SIZE_MAX)
    if len(wanted) <= size:
        return wanted, {}
    return wanted[:size], {"NextToken": urlsafe_b64encode(wanted[size - 1].arn.encode()).decode()}
