"""What must be so before any test is imported, and what tests of several folders share."""

import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

# gRPC's threads are started anew in a fork of the process that has them, which crashes a good part
# of the processes that tests start as another user.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

_accounts = itertools.count(200_000_000_001)


@pytest.fixture
def account() -> str:
    """An account that no other test has."""
    return str(next(_accounts))


@pytest.fixture
def refused() -> Callable[..., tuple[str, str]]:
    """`refused(elb.delete_rule, RuleArn="x")` returns code and message of the error."""

    def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as raised:
            call(**params)
        error = raised.value.response["Error"]
        return error["Code"], error["Message"]

    return refused
