"""The runtimes that AWS Lambda has, and has had: a function may name any of them.

Which of them run here is for the Lambda host to say. Source: Lambda guide, "Lambda runtimes", with
its list of deprecated ones, and the shape `Runtime` of the Lambda API.
"""

from albatross.model.errors import InvalidParameterValueException

CURRENT = (
    *("nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"),
    *("python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"),
    *("java8.al2", "java11", "java17", "java21", "java25", "dotnet8", "dotnet10"),
    *("ruby3.2", "ruby3.3", "ruby3.4", "provided.al2", "provided.al2023"),
)
# differs from AWS: a function may be created with a runtime that AWS has retired or announced.
OTHERS = (
    *("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x"),
    *("nodejs12.x", "nodejs14.x", "nodejs16.x", "nodejs26.x"),
    *("python2.7", "python3.6", "python3.7", "python3.8", "python3.15"),
    *("java8", "java8.al2023", "java11.al2023", "java17.al2023"),
    *("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6"),
    *("go1.x", "ruby2.5", "ruby2.7", "ruby4.0", "provided"),
)
_KNOWN = frozenset((*CURRENT, *OTHERS))


def check(runtime: str) -> str:
    """Return `runtime`. Raises InvalidParameterValueException if AWS never had it."""
    if runtime not in _KNOWN:
        raise InvalidParameterValueException(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(CURRENT)}] or be a valid ARN"
        )
    return runtime
