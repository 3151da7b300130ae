"""The runtimes that AWS Lambda has, and has had: a function may name any of them.

Which of them run here is for the Lambda host to say. Source: Lambda guide, "Lambda runtimes", with
its list of deprecated ones, and the shape `Runtime` of the Lambda API.
"""

import logging
from collections.abc import Collection

from albatross.model.errors import InvalidParameterValueException
from albatross.model.function import Function
from albatross.model.leniency import Leniency

log = logging.getLogger(__name__)

CURRENT = (
    *("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"),
    *("python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"),
    *("java8.al2", "java11", "java17", "java21", "java25", "dotnet8", "dotnet10"),
    *("ruby3.2", "ruby3.3", "ruby3.4", "provided.al2", "provided.al2023"),
)
# differs from AWS: a function may be created with a runtime that AWS has retired or announced.
RETIRED = (
    *("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x"),
    *("nodejs12.x", "nodejs14.x", "nodejs16.x"),
    *("python2.7", "python3.6", "python3.7", "python3.8", "java8"),
    *("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6"),
    *("go1.x", "ruby2.5", "ruby2.7", "provided"),
)
ANNOUNCED = (
    *("nodejs26.x", "python3.15", "ruby4.0"),
    *("java8.al2023", "java11.al2023", "java17.al2023"),
)
_KNOWN = frozenset((*CURRENT, *RETIRED, *ANNOUNCED))
_WITHOUT_SNAP_START = frozenset(
    runtime
    for runtime in _KNOWN
    if runtime.startswith(("nodejs", "ruby", "provided", "go", "dotnetcore", "python2", "java8"))
    or runtime in ("dotnet6", *(f"python3.{minor}" for minor in range(6, 12)))
)


def check(runtime: str) -> str:
    """Return `runtime`. Raises InvalidParameterValueException if AWS never had it."""
    if runtime not in _KNOWN:
        raise _unknown(runtime)
    return runtime


def admit(runtime: str, lenient: Collection[Leniency]) -> None:
    """Let a function be given `runtime`, which `check` has passed. Raises as that does."""
    if runtime in CURRENT:
        return
    if Leniency.RETIRED_RUNTIMES in lenient:
        log.warning("AWS lets no function be created or changed with the runtime %s", runtime)
    elif runtime in RETIRED:
        raise InvalidParameterValueException(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
    else:
        raise _unknown(runtime)


def check_snap_start(function: Function) -> None:
    """Raise InvalidParameterValueException where `function` wants snapshots of another runtime.

    Source: Lambda guide, "Improving startup performance with Lambda SnapStart".
    """
    is_wanted = function.extra.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"
    if is_wanted and function.runtime in _WITHOUT_SNAP_START:
        raise InvalidParameterValueException(
            f"{function.runtime} is not supported for SnapStart enabled functions."
        )


def _unknown(runtime: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(CURRENT)}] or be a valid ARN"
    )
