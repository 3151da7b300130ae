"""Layers: numbered, immutable versions of files that functions see in /opt.

Source: Lambda guide, "Managing Lambda dependencies with layers"; Lambda API, `PublishLayerVersion`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import ClassVar

from albatross.model.function import Package

READ_ACTION = "lambda:GetLayerVersion"  # all that a layer's policy can allow


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStatement:
    """One statement of a layer version's policy."""

    sid: str
    principal: str  # an account, the ARN of one's root user, or *
    action: str = READ_ACTION
    organization_id: str | None = None

    def allows(self, account: str) -> bool:
        """Tell whether `account` may use the layer version."""
        # differs from AWS: accounts belong to no organization: a layer permission for the accounts
        # of one is kept and shown, but allows nobody.
        if self.organization_id is not None:
            return False
        return self.principal in ("*", account) or self.principal.endswith(f"::{account}:root")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVersion:
    """A version of a layer. Only its policy ever changes."""

    kind: ClassVar[str] = "layer-version"

    arn: str
    name: str  # of the layer
    version: int
    content: Package
    created: datetime
    revision_id: str  # of the policy
    description: str = ""
    license: str | None = None
    runtimes: tuple[str, ...] = ()  # compatible ones; none: not said
    architectures: tuple[str, ...] = ()
    policy: tuple[LayerStatement, ...] = ()

    @property
    def parent(self) -> str | None:
        return self.layer_arn

    @property
    def layer_arn(self) -> str:
        return self.arn.rpartition(":")[0]

    def may_be_used_by(self, account: str) -> bool:
        return account == self.arn.split(":")[4] or any(one.allows(account) for one in self.policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The last number that a version of this layer has had: it is never given again."""

    kind: ClassVar[str] = "layer"

    arn: str
    name: str
    last: int

    @property
    def parent(self) -> str | None:
        return None


def merged_name(digests: Iterable[str]) -> str:
    """Return the name of the directory that has the files of these packages, merged in order."""
    return sha256(" ".join(digests).encode()).hexdigest()
