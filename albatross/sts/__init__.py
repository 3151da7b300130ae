"""Security Token Service: who am I. Source: STS API, `GetCallerIdentity`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from albatross.model.operation import Operation

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction


def get_caller_identity(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, str]:
    """GetCallerIdentity: the root user of the account that the request was taken to be of."""
    # differs from AWS: every caller is the root user of its account, and policies of IAM have no
    # effect. Without the setting `auth`, signatures are not verified.
    account = tx.scope.account
    return {"UserId": account, "Account": account, "Arn": f"arn:aws:iam::{account}:root"}


OPERATIONS: Mapping[str, Operation] = {
    "GetCallerIdentity": Operation(get_caller_identity, writes=False)
}
