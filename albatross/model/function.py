"""A Lambda function and its resource policy.

Source: Lambda API, `CreateFunction`, `AddPermission`.
"""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from albatross.model.event_invoke import EventInvoke
from albatross.model.function_url import FunctionUrl

ELB_SERVICE = "elasticloadbalancing.amazonaws.com"
LATEST = "$LATEST"
LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")  # of logs, ascending
URL_ACTIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")


class Secrets(dict[str, str]):
    """A function's environment variables: a mapping whose `repr` shows no value."""

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{key!r}: [redacted]" for key in self) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A deployment package: a zip archive, named by its SHA-256 in the data directory."""

    sha256: str  # base64, as the API shows it
    size: int  # bytes of the archive

    @property
    def digest(self) -> str:
        """The SHA-256 in hex: the name of the archive and of the directory it is unpacked to."""
        return b64decode(self.sha256).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Code that is run where it lies and reloaded when it changes (`albatross run`)."""

    path: str


Code = Package | Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedLayer:
    """A layer version as a function has it: also after that has been deleted."""

    arn: str
    content: Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a resource policy. Source: Lambda guide, resource-based policies."""

    sid: str
    action: str
    principal: str  # a service, an account, an ARN, or *
    source_arn: str | None = None
    source_account: str | None = None
    organization_id: str | None = None
    event_source_token: str | None = None
    function_url_auth_type: str | None = None
    invoked_via_function_url: bool | None = None

    def allows(self, *, service: str, action: str, source_arn: str, account: str) -> bool:
        """Tell whether `service` may do `action` on behalf of the resource `source_arn`.

        `source_arn` is compared as ArnLike, `account` as StringEquals with AWS:SourceAccount.
        A condition that no load balancer can satisfy (organization, URL auth type) denies.
        """
        if self.organization_id or self.event_source_token:
            return False
        if self.function_url_auth_type or self.invoked_via_function_url is not None:
            return False
        if self.principal not in (service, "*"):
            return False
        if not self._names(action):
            return False
        if self.source_account is not None and self.source_account != account:
            return False
        return self.source_arn is None or _arn_like(self.source_arn, source_arn)

    def allows_url(self, *, action: str, auth_type: str, account: str | None) -> bool:
        """Tell whether `account`, None for anyone, may do `action` through a function URL.

        Conditions that a request to a function URL cannot satisfy (a source) deny.
        """
        if self.organization_id or self.event_source_token:
            return False
        if self.source_arn is not None or self.source_account is not None:
            return False
        if self.function_url_auth_type not in (None, auth_type):
            return False
        if self.invoked_via_function_url is False or not self._names(action):
            return False
        return self.principal == "*" or (account is not None and account == self.account)

    def _names(self, action: str) -> bool:
        """Source: IAM guide, "IAM JSON policy elements: Action": case does not matter."""
        return fnmatchcase(action.lower(), self.action.lower())

    @property
    def account(self) -> str | None:
        """The account whose identities are the principal: all of them, not one of them."""
        if self.principal.startswith("arn:") and self.principal.endswith(":root"):
            return self.principal.split(":")[4]
        return self.principal if self.principal.isdigit() else None


def _arn_like(pattern: str, arn: str) -> bool:
    """IAM's ArnLike: each of the six colon-separated parts matches with * and ?."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(
        fnmatchcase(part, p.replace("[", "[[]")) for p, part in zip(patterns, parts, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Where and how a function logs. Levels are places in LEVELS; they count for JSON only.

    Source: Lambda API, `LoggingConfig`.
    """

    group: str
    is_shared: bool = False  # the group has another name than the function's own
    is_json: bool = False
    application_level: int = LEVELS.index("INFO")
    system_level: int = LEVELS.index("INFO")


class Invocable:
    """What has a resource policy of its own: a function, a version of one, an alias."""

    __slots__ = ()
    policy: tuple[Statement, ...]

    def may_be_invoked_from(self, target_group_arn: str) -> bool:
        """Tell whether the policy lets Elastic Load Balancing invoke from this target group."""
        account = target_group_arn.split(":")[4]
        return any(
            statement.allows(
                service=ELB_SERVICE,
                action="lambda:InvokeFunction",
                source_arn=target_group_arn,
                account=account,
            )
            for statement in self.policy
        )

    def may_be_called_by_url(self, auth_type: str, account: str | None) -> bool:
        """Tell whether the policy lets `account`, None for anyone, use its function URL.

        Source: Lambda guide, "Control access to Lambda function URLs": since October 2025 that
        takes two permissions.
        """
        return all(
            any(
                statement.allows_url(action=action, auth_type=auth_type, account=account)
                for statement in self.policy
            )
            for action in URL_ACTIONS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Function(Invocable):
    """A function's $LATEST version, or what a published `Version` is a copy of.

    `extra` holds members of the configuration that are stored and shown but have no effect here.
    """

    kind: ClassVar[str] = "function"

    arn: str  # unqualified
    name: str
    runtime: str
    handler: str
    role: str
    code: Code
    last_modified: datetime
    revision_id: str  # of the configuration, the code and the policy together
    description: str = ""
    timeout_s: int = 3  # 1..900
    memory_mb: int = 128  # 128..10240
    ephemeral_storage_mb: int = 512
    architecture: str = "x86_64"
    environment: Secrets = field(default_factory=Secrets)
    reserved_concurrency: int | None = None
    policy: tuple[Statement, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    version: str = LATEST  # or the number of a published one
    code_signing_config_arn: str | None = None
    recursive_loop: str = "Terminate"  # or Allow
    layers: tuple[UsedLayer, ...] = ()  # in the order in which they are merged
    source_kms_key_arn: str | None = None  # with which the package is said to be encrypted
    update_runtime_on: str = "Auto"  # or FunctionUpdate, Manual
    runtime_version_arn: str | None = None  # given for Manual only
    event_invoke: EventInvoke | None = None  # of $LATEST
    url: FunctionUrl | None = None  # of $LATEST

    @property
    def parent(self) -> str | None:
        return None

    @property
    def version_arn(self) -> str:
        """The ARN of this very version: qualified, or that of the function for $LATEST."""
        return self.arn if self.version == LATEST else f"{self.arn}:{self.version}"

    @property
    def logging(self) -> Logging:
        """Where and how it logs."""
        given: Mapping[str, str] = self.extra.get("LoggingConfig", {})
        own = f"/aws/lambda/{self.name}"
        group = given.get("LogGroup") or own
        return Logging(
            group=group,
            is_shared=group != own,
            is_json=given.get("LogFormat") == "JSON",
            application_level=LEVELS.index(given.get("ApplicationLogLevel") or "INFO"),
            system_level=LEVELS.index(given.get("SystemLogLevel") or "INFO"),
        )

    def snapshot(self, version: str) -> "Function":
        """Return code and configuration as `version` keeps them: nothing of the function itself."""
        return replace(
            self,
            version=version,
            policy=(),
            reserved_concurrency=None,
            code_signing_config_arn=None,
            recursive_loop="Terminate",
            event_invoke=None,
            url=None,
        )

    def is_like(self, other: "Function") -> bool:
        """Tell whether code and configuration are those of `other`."""
        return self._content() == other._content()

    def _content(self) -> "Function":
        return replace(
            self.snapshot(LATEST),
            revision_id="",
            last_modified=datetime.min,
            update_runtime_on="Auto",
            runtime_version_arn=None,
        )
