"""Which runtimes a function may be given, and which under `strict`."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from albatross.lambda_ import OPERATIONS, runtimes
from tests.support.server import client, serve

ROLE = "arn:aws:iam::123456789012:role/any"


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Any]]:
    """Clients of servers, by how strict they are."""
    with (
        serve({"lambda": OPERATIONS}) as lax,
        serve({"lambda": OPERATIONS}, strict=True) as strict,
        serve({"lambda": OPERATIONS}, strict=True, lenient="retired-runtimes") as kept,
    ):
        urls = {"lax": lax, "strict": strict, "kept": kept}
        yield {
            name: client("lambda", url, parameter_validation=False) for name, url in urls.items()
        }


def create(
    server: Any, runtime: str, archive: Callable[..., bytes], prefix: str = "", **params: Any
) -> Any:
    return server.create_function(
        FunctionName=prefix + runtime.replace(".", "_"),
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": archive(app="")},
        **params,
    )


@pytest.mark.parametrize("runtime", [*runtimes.RETIRED, *runtimes.ANNOUNCED])
def test_what_aws_has_no_longer_or_not_yet_is_refused_by_a_strict_server_only(
    servers: dict[str, Any], archive: Callable[..., bytes], runtime: str
) -> None:
    for name in ("lax", "kept"):
        assert create(servers[name], runtime, archive)["Runtime"] == runtime
    with pytest.raises(servers["strict"].exceptions.InvalidParameterValueException) as caught:
        create(servers["strict"], runtime, archive)
    message = caught.value.response["Error"]["Message"]
    assert f" {runtime} " in message
    if runtime == "nodejs8.10":
        assert message == (
            "The runtime parameter of nodejs8.10 is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )


@pytest.mark.parametrize("runtime", runtimes.CURRENT)
def test_what_aws_has_is_taken_whether_it_runs_here_or_not(
    servers: dict[str, Any], archive: Callable[..., bytes], runtime: str
) -> None:
    assert create(servers["strict"], runtime, archive)["Runtime"] == runtime


def test_a_strict_server_changes_no_function_to_a_retired_runtime(
    servers: dict[str, Any], archive: Callable[..., bytes]
) -> None:
    strict = servers["strict"]
    strict.create_function(
        FunctionName="changed",
        Runtime="python3.12",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": archive(app="")},
    )
    with pytest.raises(strict.exceptions.InvalidParameterValueException):
        strict.update_function_configuration(FunctionName="changed", Runtime="go1.x")
    strict.update_function_configuration(FunctionName="changed", Runtime="python3.13")


def test_what_aws_never_had_is_refused(
    servers: dict[str, Any], archive: Callable[..., bytes]
) -> None:
    with pytest.raises(servers["lax"].exceptions.InvalidParameterValueException):
        create(servers["lax"], "cobol", archive)


@pytest.mark.parametrize(
    ("runtime", "has"),
    [
        *((runtime, True) for runtime in ("python3.12", "python3.14", "java11", "java25")),
        *((runtime, True) for runtime in ("dotnet8", "dotnet10")),
        *((runtime, False) for runtime in ("python3.11", "java8.al2", "dotnet6", "nodejs22.x")),
        *((runtime, False) for runtime in ("ruby3.4", "provided.al2023")),
    ],
)
def test_some_runtimes_have_no_snapshots(
    servers: dict[str, Any], archive: Callable[..., bytes], runtime: str, has: bool
) -> None:
    wanted = {"ApplyOn": "PublishedVersions"}
    api = servers["lax"]
    if has:
        made = create(api, runtime, archive, "snap-", SnapStart=wanted, Publish=True)
        assert made["SnapStart"] == {**wanted, "OptimizationStatus": "On"}
        latest = api.get_function_configuration(FunctionName=made["FunctionName"])
        assert latest["SnapStart"] == {**wanted, "OptimizationStatus": "Off"}
        return
    message = f"{runtime} is not supported for SnapStart enabled functions."
    with pytest.raises(api.exceptions.InvalidParameterValueException, match=message):
        create(api, runtime, archive, "snap-", SnapStart=wanted)
    name = create(api, runtime, archive, "snap-")["FunctionName"]
    with pytest.raises(api.exceptions.InvalidParameterValueException, match=message):
        api.update_function_configuration(FunctionName=name, SnapStart=wanted)
