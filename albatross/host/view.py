"""What the Lambda host needs of a `Snapshot`: functions, and how each target group leads to one.
Pure.

The control plane computes it and sends it as JSON over the control socket.
"""

from dataclasses import dataclass

import cattrs
from cattrs.preconf.orjson import make_converter
from cattrs.strategies import configure_tagged_union

from albatross.model import attributes
from albatross.model.function import Code, Function, Secrets
from albatross.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroupView:
    """A Lambda target group as a request meets it."""

    arn: str
    multi_value: bool
    idle_timeout_s: float | None  # None: wait for the function
    function_arn: str | None  # None: no target is registered
    may_invoke: bool  # the function's resource policy, evaluated for this target group


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    revision: int
    target_groups: tuple[TargetGroupView, ...]
    functions: tuple[Function, ...]

    def is_like(self, other: "View") -> bool:
        """Tell whether they differ in their revision at most."""
        return (self.target_groups, self.functions) == (other.target_groups, other.functions)


def view(snapshot: Snapshot, *, idle_timeout: bool) -> View:
    """Return the host's view. Without `idle_timeout` requests wait for their function."""
    functions = {function.arn: function for function in snapshot.functions}
    balancers = snapshot.load_balancer_of_target_group()
    groups = []
    for group in snapshot.target_groups:
        if group.target_type != "lambda":
            continue
        arn = group.targets[0].id.removesuffix(":$LATEST") if group.targets else None
        function = functions.get(arn) if arn else None
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
                may_invoke=function is not None and function.may_be_invoked_from(group.arn),
            )
        )
    return View(
        revision=snapshot.revision,
        target_groups=tuple(groups),
        functions=snapshot.functions,
    )


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
