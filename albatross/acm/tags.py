"""Tags of certificates. Source: ACM API, `AddTagsToCertificate` and its relatives, shape `Tag`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from albatross.acm import lookup
from albatross.model.errors import TooManyTagsException, ValidationException

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

TAGS_MAX = 50  # per certificate


def add_tags_to_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """AddTagsToCertificate. Raises as lookup.by_arn and `merged` do."""
    certificate = lookup.by_arn(tx, params["CertificateArn"])
    tx.put_tags(certificate.arn, merged(tx.tags(certificate.arn), params))
    return {}


def remove_tags_from_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """RemoveTagsFromCertificate: a tag with a value goes only where it has that value."""
    certificate = lookup.by_arn(tx, params["CertificateArn"])
    tags = tx.tags(certificate.arn)
    for tag in params["Tags"]:
        _check_key(tag["Key"])
        if tags.get(tag["Key"]) == tag.get("Value", tags.get(tag["Key"])):
            tags.pop(tag["Key"], None)
    tx.put_tags(certificate.arn, tags)
    return {}


def list_tags_for_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """ListTagsForCertificate, in the order in which they were added."""
    certificate = lookup.by_arn(tx, params["CertificateArn"])
    tags = tx.tags(certificate.arn)
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def merged(present: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags `present` with those of the member `Tags`.

    Raises ValidationException for a reserved key, TooManyTagsException.
    """
    tags = dict(present)
    for tag in params.get("Tags", ()):
        _check_key(tag["Key"])
        tags[tag["Key"]] = tag.get("Value", "")
    if len(tags) > TAGS_MAX:
        shown = ", ".join(f"{key}={value}" for key, value in tags.items())
        raise TooManyTagsException(f"the TagSet: '{{{shown}}}' contains too many Tags")
    return tags


def _check_key(key: str) -> None:
    if key.lower().startswith("aws:"):
        raise ValidationException(
            f'Invalid Tag Key: "{key}". AWS internal tags cannot be changed with this API'
        )
