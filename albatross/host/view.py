"""What the Lambda host needs of a `Snapshot`: functions, and how each target group leads to one.
Pure.

The control plane computes it and sends it as JSON over the control socket.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

import cattrs
from cattrs.preconf.orjson import make_converter
from cattrs.strategies import configure_tagged_union

from albatross.model import attributes
from albatross.model.function import LATEST, Code, Function, Secrets
from albatross.model.snapshot import Snapshot
from albatross.model.version import Alias


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
class View:
    """`functions` holds $LATEST of each function, and the published versions."""

    revision: int
    target_groups: tuple[TargetGroupView, ...] = ()
    functions: tuple[Function, ...] = ()
    aliases: tuple[AliasView, ...] = ()
    provisioned: Mapping[str, int] = field(default_factory=dict)  # environments by version's ARN

    def is_like(self, other: "View") -> bool:
        """Tell whether they differ in their revision at most."""
        return (
            self.target_groups == other.target_groups
            and self.functions == other.functions
            and self.aliases == other.aliases
            and self.provisioned == other.provisioned
        )


def view(snapshot: Snapshot, *, idle_timeout: bool) -> View:
    """Return the host's view. Without `idle_timeout` requests wait for their function."""
    invocables = dict(snapshot.invocables())
    balancers = snapshot.load_balancer_of_target_group()
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
                may_invoke=invocable is not None and invocable.may_be_invoked_from(group.arn),
            )
        )
    return View(
        revision=snapshot.revision,
        target_groups=tuple(groups),
        functions=snapshot.functions + tuple(version.function for version in snapshot.versions),
        aliases=tuple(_alias(alias) for alias in snapshot.aliases),
        provisioned=provisioned(snapshot),
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


def encode(view: View) -> bytes:
    data: bytes = _converter().dumps(view)
    return data


def decode(data: bytes) -> View:
    """Raises ValueError for what `encode` has not made."""
    try:
        return _converter().loads(data, View)
    except cattrs.BaseValidationError as error:
        raise ValueError(f"not a view of the configuration: {error}") from error


def _converter() -> cattrs.preconf.orjson.OrjsonConverter:
    converter = make_converter()
    configure_tagged_union(Code, converter)
    converter.register_structure_hook(Secrets, lambda value, _: Secrets(value))
    converter.register_unstructure_hook(Secrets, dict)
    return converter
