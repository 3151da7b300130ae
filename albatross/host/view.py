"""What the Lambda host needs of a `Snapshot`: functions, and how each target group leads to one.
Pure.

The control plane computes it and sends it as JSON over the control socket.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import TypeVar

import cattrs
from cattrs.preconf.orjson import make_converter
from cattrs.strategies import configure_tagged_union

from albatross.model import attributes
from albatross.model.function import LATEST, Code, Function, Invocable, Secrets
from albatross.model.function_url import Cors, FunctionUrl
from albatross.model.remote import NO_REMOTES, RemoteFunctions
from albatross.model.snapshot import Snapshot
from albatross.model.version import Alias

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroupView:
    """A Lambda target group as a request meets it."""

    arn: str
    multi_value: bool
    idle_timeout_s: float | None  # None: wait for the function
    function_arn: str | None  # as registered, maybe qualified; None: no target is registered
    may_invoke: bool  # the resource policy of that ARN, evaluated for this target group


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasView:
    """An alias as an invocation meets it."""

    arn: str
    version_arn: str
    other_arn: str | None = None  # of the version that gets `weight`, 0 to 1, of the invocations
    weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrlView:
    """A function URL as a request meets it."""

    id: str
    function_arn: str  # of the function or an alias
    auth_type: str
    cors: Cors | None
    is_public: bool  # the resource policy, evaluated for anyone
    streams: bool = False
    accounts: tuple[str, ...] = ()  # that may use it, where requests are signed

    def admits(self, account: str | None) -> bool:
        """Tell whether the account that has signed a request, None where nobody must, may."""
        return self.is_public if account is None else self.is_public or account in self.accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`functions` holds $LATEST of each function, and the published versions."""

    revision: int
    target_groups: tuple[TargetGroupView, ...] = ()
    functions: tuple[Function, ...] = ()
    aliases: tuple[AliasView, ...] = ()
    provisioned: Mapping[str, int] = field(default_factory=dict)  # environments by version's ARN
    urls: tuple[FunctionUrlView, ...] = ()

    def is_like(self, other: "View") -> bool:
        """Tell whether they differ in their revision at most."""
        return (
            self.target_groups == other.target_groups
            and self.functions == other.functions
            and self.aliases == other.aliases
            and self.provisioned == other.provisioned
            and self.urls == other.urls
        )


def view(snapshot: Snapshot, *, idle_timeout: bool, remotes: RemoteFunctions = NO_REMOTES) -> View:
    """Return the host's view. Without `idle_timeout` requests wait for their function.

    `remotes`: the functions that run elsewhere.
    """
    invocables = dict(snapshot.invocables())
    balancers = snapshot.balancer_of_group
    groups = []
    for group in snapshot.target_groups:
        if group.target_type != "lambda":
            continue
        arn = group.targets[0].id if group.targets else None
        invocable = invocables.get(arn.removesuffix(f":{LATEST}")) if arn else None
        balancer = balancers.get(group.arn)
        timeout = (
            float(attributes.get(balancer, "idle_timeout.timeout_seconds"))
            if idle_timeout and balancer
            else None
        )
        groups.append(
            TargetGroupView(
                arn=group.arn,
                multi_value=group.multi_value_headers,
                idle_timeout_s=timeout,
                function_arn=arn,
                may_invoke=_may_invoke(arn, invocable, group.arn, remotes),
            )
        )
    return View(
        revision=snapshot.revision,
        target_groups=tuple(groups),
        functions=snapshot.functions + tuple(version.function for version in snapshot.versions),
        aliases=tuple(_alias(alias) for alias in snapshot.aliases),
        provisioned=provisioned(snapshot),
        urls=tuple(_url(one, url) for one, url in snapshot.function_urls()),
    )


def _may_invoke(
    arn: str | None, invocable: Invocable | None, group_arn: str, remotes: RemoteFunctions
) -> bool:
    if invocable is not None:
        return invocable.may_be_invoked_from(group_arn)
    return arn is not None and remotes.find(arn) is not None


def _url(found: Function | Alias, url: FunctionUrl) -> FunctionUrlView:
    """Return how `found` is reached by its function URL.

    Identities of its own account have the permission by policies of theirs: there are none here.
    """
    named = {statement.account for statement in found.policy if statement.account}
    others = {one for one in named if found.may_be_called_by_url(url.auth_type, one)}
    return FunctionUrlView(
        id=url.id,
        function_arn=found.arn,
        auth_type=url.auth_type,
        cors=url.cors,
        streams=url.streams,
        is_public=found.may_be_called_by_url(url.auth_type, None),
        accounts=tuple(sorted({*others, found.arn.split(":")[4]})),
    )


def _alias(alias: Alias) -> AliasView:
    (other, weight), *_ = [*alias.weights.items(), (None, 0.0)]
    return AliasView(
        arn=alias.arn,
        version_arn=alias.version_arn(alias.version),
        other_arn=alias.version_arn(other) if other else None,
        weight=weight,
    )


def provisioned(snapshot: Snapshot) -> dict[str, int]:
    """Return how many environments are to be kept ready, by the ARN of their version."""
    found: defaultdict[str, int] = defaultdict(int)
    for version in snapshot.versions:
        if version.provisioned:
            found[version.arn] += version.provisioned.executions
    for alias in snapshot.aliases:
        if alias.provisioned:
            for arn, executions in split(alias, alias.provisioned.executions).items():
                found[arn] += executions
    return dict(found)


def split(alias: Alias, executions: int) -> dict[str, int]:
    """Return the part of `executions` for each version of `alias`, by ARN: according to weight."""
    # AWS is silent: of the provisioned concurrency of an alias with weights, the version with a
    # weight gets its share rounded up, the other one the rest.
    others = {
        version: min(executions, ceil(executions * w)) for version, w in alias.weights.items()
    }
    parts = {alias.version: executions - sum(others.values()), **others}
    return {alias.version_arn(version): part for version, part in parts.items() if part}


def may_differ(snapshot: Snapshot, other: Snapshot) -> bool:
    """Tell whether the views of two snapshots may differ; at once, without making them."""
    return not (
        snapshot.functions is other.functions
        and snapshot.versions is other.versions
        and snapshot.aliases is other.aliases
        and snapshot.target_groups is other.target_groups
        and snapshot.balancer_of_group is other.balancer_of_group
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What makes of one view the next. `gone`: ARNs of what the next one does not have."""

    revision: int
    target_groups: tuple[TargetGroupView, ...] = ()  # new ones and those that differ, like the rest
    functions: tuple[Function, ...] = ()
    aliases: tuple[AliasView, ...] = ()
    gone: tuple[str, ...] = ()
    provisioned: Mapping[str, int] = field(default_factory=dict)  # all of it
    urls: tuple[FunctionUrlView, ...] = ()  # all of them


def change(before: View, after: View) -> Change:
    """Return what makes of `before` the view `after`."""
    groups, lost_groups = _changed(before.target_groups, after.target_groups, _arn)
    functions, lost_functions = _changed(before.functions, after.functions, _version_arn)
    aliases, lost_aliases = _changed(before.aliases, after.aliases, _arn)
    return Change(
        revision=after.revision,
        target_groups=groups,
        functions=functions,
        aliases=aliases,
        gone=(*lost_groups, *lost_functions, *lost_aliases),
        provisioned=after.provisioned,
        urls=after.urls,
    )


def _changed(
    before: tuple[T, ...], after: tuple[T, ...], key: Callable[[T], str]
) -> tuple[tuple[T, ...], set[str]]:
    """Return what is new or other in `after`, and the keys of what it does not have."""
    if after is before:
        return (), set()
    known = {key(each): each for each in before}
    changed = []
    for each in after:
        old = known.pop(key(each), None)
        if old is not each and old != each:
            changed.append(each)
    return tuple(changed), set(known)


def _arn(named: TargetGroupView | AliasView) -> str:
    return named.arn


def _version_arn(function: Function) -> str:
    return function.version_arn


def encode(view: View | Change) -> bytes:
    data: bytes = _converter().dumps(view)
    return data


def decode(data: bytes, cls: type[T]) -> T:
    """Return the `View` or `Change`. Raises ValueError for what `encode` has not made."""
    try:
        return _converter().loads(data, cls)
    except cattrs.BaseValidationError as error:
        raise ValueError(f"not a view of the configuration: {error}") from error


@cache
def _converter() -> cattrs.preconf.orjson.OrjsonConverter:
    converter = make_converter()
    configure_tagged_union(Code, converter)
    converter.register_structure_hook(Secrets, lambda value, _: Secrets(value))
    converter.register_unstructure_hook(Secrets, dict)
    return converter
