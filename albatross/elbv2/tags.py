"""Tags. Source: elbv2 API, `AddTags`, `RemoveTags`, `DescribeTags`, shape `Tag`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import lookup
from albatross.elbv2.limits import TAGS_MAX, check_count
from albatross.model import arn as arns
from albatross.model.errors import DuplicateTagKeys, TooManyTags, ValidationError
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule
from albatross.model.target_group import TargetGroup
from albatross.model.trust_store import TrustStore

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

_CLASSES: dict[str, type[Any]] = {
    "loadbalancer": LoadBalancer,
    "listener": Listener,
    "listener-rule": Rule,
    "targetgroup": TargetGroup,
    "truststore": TrustStore,
}


def from_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the member `Tags` as key and value; a tag without a value has an empty one.

    Raises DuplicateTagKeys, TooManyTags, ValidationError.
    """
    tags: dict[str, str] = {}
    for tag in params.get("Tags", ()):
        key = tag["Key"]
        # AWS is silent: a key given twice is refused with DuplicateTagKeys by every operation with
        # tags; the API reference names this error for some.
        if key in tags:
            raise DuplicateTagKeys(f"Tag key '{key}' was specified more than once")
        if key.lower().startswith("aws:"):
            raise ValidationError("aws: prefixed tag key names are not allowed for external use.")
        tags[key] = tag.get("Value", "")
    check_number(tags)
    return tags


def check_number(tags: Mapping[str, str]) -> None:
    """Raise TooManyTags where one resource would have more than it may."""
    if len(tags) > TAGS_MAX:
        raise TooManyTags(f"A resource can have up to '{TAGS_MAX}' tags")


def add_tags(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """AddTags: set tags on every resource named, or on none.

    Raises the NotFound of the resource's kind, DuplicateTagKeys, TooManyTags, ValidationError.
    """
    new = from_params(params)
    for arn in _resources(tx, params["ResourceArns"]):
        tags = tx.tags(arn) | new
        check_number(tags)
        tx.put_tags(arn, tags)
    return {}


def remove_tags(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """RemoveTags: a key that is not there is no error. Raises as add_tags."""
    gone = set(params["TagKeys"])
    if not gone:
        raise ValidationError("A tag key must be specified")
    for arn in _resources(tx, params["ResourceArns"]):
        kept = {key: value for key, value in tx.tags(arn).items() if key not in gone}
        tx.put_tags(arn, kept)
    return {}


def describe_tags(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeTags: in the order asked for. Raises as add_tags."""
    check_count("resource ARNs", params["ResourceArns"])
    return {
        "TagDescriptions": [
            {
                "ResourceArn": arn,
                "Tags": [{"Key": key, "Value": value} for key, value in tx.tags(arn).items()],
            }
            for arn in _resources(tx, params["ResourceArns"])
        ]
    }


def _resources(tx: "Transaction", wanted: Sequence[str]) -> list[str]:
    """Return the ARNs, each once, after all were found to exist."""
    if not wanted:
        raise ValidationError("A resource ARN must be specified")
    for arn in wanted:
        cls = _CLASSES.get(arns.elb_kind(arn) or "")
        if cls is None:
            raise ValidationError(f"'{arn}' is not a valid resource ARN")
        lookup.by_arn(tx, cls, arn)
    return list(dict.fromkeys(wanted))
