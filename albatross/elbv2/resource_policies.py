"""Policies of resources that are shared with other accounts. Source: elbv2 API,
`GetResourcePolicy`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import wire
from albatross.model import arn as arns
from albatross.model.errors import ResourceNotFound, ValidationError
from albatross.model.trust_store import TrustStore

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction


def get_resource_policy(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """GetResourcePolicy: of a trust store, which never has one. Raises ResourceNotFound,
    ValidationError.
    """
    arn = params["ResourceArn"]
    if arns.elb_kind(arn) is None:
        raise ValidationError(f"'{arn}' is not a valid resource ARN")
    # differs from AWS: trust stores cannot be shared with other accounts.
    # AWS is silent: a resource without a policy is answered for like one that does not exist.
    if arns.elb_kind(arn) == "truststore" and tx.get(TrustStore, arn) is not None:
        raise ResourceNotFound(f"The resource '{arn}' is not shared, so it has no policy")
    raise ResourceNotFound(f"The resource '{arn}' does not exist or cannot be shared")
