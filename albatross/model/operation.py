"""An operation of an AWS API: a function and what the server must know to run it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from albatross.model.arn import Scope


@dataclass(frozen=True, slots=True)
class Operation:
    """`run(tx, params)` decides and answers within one transaction; a read changes nothing."""

    run: Callable[[Any, Any], dict[str, Any]]
    writes: bool
    status: int | None = None  # HTTP status where it differs from the service model's


@dataclass(frozen=True, slots=True)
class AsyncOperation:
    """`run(scope, params)` is no transaction: Invoke waits for a function."""

    run: Callable[[Scope, Any], Awaitable[dict[str, Any]]]
