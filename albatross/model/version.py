"""Published versions of functions, and aliases, which point to them.

Source: Lambda guide, "Manage Lambda function versions", "Create an alias for a Lambda function".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from albatross.model.event_invoke import EventInvoke
from albatross.model.function import LATEST, Function, Invocable, Statement
from albatross.model.function_url import FunctionUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """Execution environments to be kept ready. Source: Lambda API, provisioned concurrency."""

    executions: int  # at least 1
    last_modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Invocable):
    """Code and configuration of a function as they were when this was published; immutable.

    Only what is no part of them changes: policy, provisioned concurrency, runtime management, and
    how events of asynchronous invocations are handled.
    """

    kind: ClassVar[str] = "function-version"

    arn: str  # qualified
    function: Function  # of this version, with a revision id of its own
    description: str | None = None  # in place of that which $LATEST had
    policy: tuple[Statement, ...] = ()
    provisioned: Provisioned | None = None
    event_invoke: EventInvoke | None = None

    @property
    def name(self) -> str:
        return self.function.version

    @property
    def parent(self) -> str | None:
        return self.function.arn

    @property
    def revision_id(self) -> str:
        return self.function.revision_id

    @property
    def shown(self) -> Function:
        """The function as the API shows this version."""
        if self.description is None:
            return self.function
        return replace(self.function, description=self.description)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Invocable):
    """A name for a version, or for two of them by weight."""

    kind: ClassVar[str] = "function-alias"

    arn: str  # qualified
    name: str
    function_arn: str
    version: str  # a number or $LATEST
    revision_id: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)  # of another version; one at most
    policy: tuple[Statement, ...] = ()
    provisioned: Provisioned | None = None
    event_invoke: EventInvoke | None = None
    url: FunctionUrl | None = None

    @property
    def parent(self) -> str | None:
        return self.function_arn

    def shares(self) -> dict[str, float]:
        """Return each version to which this leads, with its share of the invocations."""
        rest = 1.0 - sum(self.weights.values())
        return {self.version: rest, **self.weights}

    def version_arn(self, version: str) -> str:
        """Return the ARN by which the host knows `version` of the function."""
        return self.function_arn if version == LATEST else f"{self.function_arn}:{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The last number that a version of the function `name` has had; outlives the function."""

    kind: ClassVar[str] = "function-numbers"

    arn: str
    name: str
    last: int

    @property
    def parent(self) -> str | None:
        return None
