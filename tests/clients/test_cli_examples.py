"""The examples of the AWS CLI's own documentation, run by the program `aws`.

docs/cli-examples.md is made of what comes out: `UPDATE_GOLDEN=1 pytest` on this file writes it.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from albatross.aws.service import service
from tests.support import cli_examples
from tests.support.api import Api
from tests.support.cli_examples import Example
from tests.support.cli_world import Program, World

PAGE = Path(__file__).parents[2] / "docs" / "cli-examples.md"
EXAMPLES = cli_examples.examples("elbv2")
_accounts = itertools.count(400_000_000_001)

NETWORK = "For Network Load Balancers, which are not here"
GATEWAY = "For Gateway Load Balancers, which are not here"
# Example -> the code of the error (None: the program itself refuses the line), and why.
REFUSED: dict[str, tuple[str | None, str]] = {
    "create-listener 3": ("ValidationError", NETWORK),
    "create-listener 4": ("ValidationError", f"Protocol TLS. {NETWORK}"),
    "create-listener 5": ("ValidationError", NETWORK),
    "create-listener 6": ("ValidationError", GATEWAY),
    "create-load-balancer 3": ("NotImplemented", NETWORK),
    "create-load-balancer 4": ("NotImplemented", GATEWAY),
    "create-rule 3": ("NotImplemented", "Authentication with OpenID Connect is still to come"),
    "create-target-group 3": ("NotImplemented", f"Protocol TCP. {NETWORK}"),
    "create-target-group 4": (
        "InvalidConfigurationRequest",
        f"An Application Load Balancer as target. {NETWORK}",
    ),
    "create-target-group 5": ("NotImplemented", f"Protocol GENEVE. {GATEWAY}"),
    "describe-ssl-policies 2": (None, "A shell takes the quotes away that its query needs"),
    "modify-listener 2": (None, "Its line has a space too many"),
    "modify-target-group 1": (None, "A shell takes the quotes away that `200,299` needs"),
    "modify-listener 3": ("CertificateNotFound", "Server certificates of IAM are not here"),
}
# Example -> what its output has and ours has not, and why.
DIFFERENT: dict[str, tuple[list[str], str]] = {}


def _lambda_group(world: World) -> None:
    world.group("my-tcp-ip-targets", "--target-type", "lambda")


def _ip_group(world: World) -> None:
    options = ("--protocol", "HTTP", "--port", "80", "--vpc-id", "vpc-1")
    world.group("my-tcp-ip-targets", "--target-type", "ip", *options)


# Example -> what must be there before, beside what its command names.
GIVEN: dict[str, Callable[[World], object]] = {
    "describe-listener-certificates 1": lambda world: world.call(
        *("elbv2", "add-listener-certificates", "--listener-arn", world.listener),
        *("--certificates", f"CertificateArn={world.certificate('another')}"),
    ),
    "describe-listeners 2": lambda world: world.listener,
    "describe-load-balancers 2": lambda world: world.balancer,
    "describe-tags 1": lambda world: world.call(
        *("elbv2", "add-tags", "--resource-arns", world.balancer, "--tags", "Key=a,Value=b"),
    ),
    "describe-target-groups 1": lambda world: world.listener,
    "describe-target-groups 2": lambda world: world.listener,
    "describe-target-health 1": lambda world: world.register("i-ceddcd4d", "i-0f76fade"),
    "describe-target-health 2": lambda world: world.register("i-0f76fade"),
    "register-targets 3": _ip_group,
    "register-targets 4": _lambda_group,
    "wait/load-balancers-deleted 1": lambda world: world.call(
        *("elbv2", "delete-load-balancer", "--load-balancer-arn", world.balancer)
    ),
    "wait/target-in-service 1": lambda world: world.register("i-1234567890abcdef0"),
}
HTTPS = (
    *("add-listener-certificates", "describe-listener-certificates"),
    *("remove-listener-certificates", "describe-listeners 2", "modify-listener 3"),
)


@pytest.fixture(scope="module")
def program(shared_api: Api) -> Iterator[Program]:
    with pytest.MonkeyPatch.context() as patch:
        yield Program(shared_api.url, patch)


@pytest.fixture
def world(program: Program, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    example: Example = request.getfixturevalue("example")
    https = example.id.startswith(HTTPS)
    made = World(program, str(next(_accounts)), tmp_path, https=https)
    GIVEN.get(example.id, lambda _: None)(made)
    return made


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_the_example_does_what_its_page_shows(world: World, example: Example) -> None:
    status, out, err = world.run(example)
    if example.id in REFUSED:
        code, _ = REFUSED[example.id]
        assert status != 0
        assert f"({code})" in err if code else "An error occurred" not in err
        return
    assert (status, err) == (0, "")
    if not example.outputs:
        return
    missing = sorted(set(_missing(example.outputs[0], json.loads(out), "")))
    assert missing == DIFFERENT.get(example.id, ([], ""))[0]


def _missing(shown: Any, ours: Any, path: str) -> Iterator[str]:
    """Yield what the example's output shows and ours has not: members, types, named values."""
    match shown, ours:
        case dict(), dict():
            for name, value in shown.items():
                if name not in ours:
                    yield f"{path}.{name}"
                else:
                    yield from _missing(value, ours[name], f"{path}.{name}")
        case [{"Key": _, "Value": _}, *_], list() if ".Attributes" in path:
            keys = {attribute["Key"] for attribute in ours}
            yield from (each["Key"] for each in shown if each["Key"] not in keys)
        case [{"Name": _, "Max": _}, *_], list():
            names = {limit["Name"] for limit in ours}
            yield from (each["Name"] for each in shown if each["Name"] not in names)
        case [str(), *_], list() if not path and shown[0].startswith(("ELBSecurity", "TLS_")):
            # The query of one gives a list for each policy; its page shows them as one.
            flat = [name for each in ours for name in ([each] if isinstance(each, str) else each)]
            yield from (name for name in shown if name not in flat)
        case list(), list():
            if shown and not ours:
                yield f"{path}: empty"
            for each, counterpart in zip(shown, itertools.cycle(ours), strict=False):
                yield from _missing(each, counterpart, f"{path}[]")
        case _ if type(shown) is not type(ours):
            yield f"{path}: {type(ours).__name__}"


def test_every_exception_is_of_an_example() -> None:
    known = {example.id for example in EXAMPLES}
    assert REFUSED.keys() | DIFFERENT.keys() | GIVEN.keys() <= known


def test_the_page_says_how_each_example_fares() -> None:
    if "UPDATE_GOLDEN" in os.environ:
        PAGE.write_text(_page())
    assert PAGE.read_text() == _page(), "UPDATE_GOLDEN=1 pytest tests/clients/test_cli_examples.py"


_HEAD = """\
<!-- Generated by tests/clients/test_cli_examples.py; do not edit. -->
# The AWS CLI's examples

The AWS CLI comes with examples of its commands. Those for elbv2 ({count} in version {version}) run
against Albatross as they are, only with names of resources that are there. "as shown" means that
the command succeeds and that its answer has every member, attribute and type that the example's
output has, if it has one; newer members are there too.

| example | |
| --- | --- |
"""
_TAIL = """
Operations of elbv2 that this version of the program has no example of: {others}.
"""


def _page() -> str:
    rows = [f"| {_title(example)} | {_outcome(example)} |" for example in EXAMPLES]
    shown = {example.page.split("/")[-1].replace("-", "") for example in EXAMPLES}
    names = sorted(service("elasticloadbalancing").model.operation_names)
    others = [name for name in names if name.lower() not in shown]
    head = _HEAD.format(count=len(EXAMPLES), version=cli_examples.VERSION)
    tail = _TAIL.format(others=", ".join(f"`{name}`" for name in others))
    return head + "\n".join(rows) + "\n" + tail


def _title(example: Example) -> str:
    return f"`{example.page.replace('/', ' ')}`, {example.number}"


def _outcome(example: Example) -> str:
    if example.id in REFUSED:
        code, why = REFUSED[example.id]
        return (
            f"refused with `{code}`: {why}"
            if code
            else f"no call, the program refuses the line: {why}"
        )
    if example.id in DIFFERENT:
        missing, why = DIFFERENT[example.id]
        return f"as shown but for {', '.join(f'`{one}`' for one in missing)}: {why}"
    return "as shown"
