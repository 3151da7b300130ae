"""The host works by one view after the other; its engine starts nothing here."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from albatross.host import view as views
from albatross.host.host import Host
from albatross.host.view import AliasView, View
from albatross.model.function import Function, Package
from tests.support.host import function_arn, make_function

ARN = function_arn("f")
LATEST = make_function("f", Package(sha256="eA==", size=1))
ONE, TWO = LATEST.snapshot("1"), LATEST.snapshot("2")


class Engine:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.make_room: Callable[[], bool] = lambda: False

    def start(self, function: Function, _: object, **options: Any) -> Any:
        self.started.append(function.version_arn)
        return type("Started", (), {"provisioned": True, "retired": False, "retire": int})()

    def has_room(self) -> bool:
        return True

    def look_ahead(self, function: Function) -> None:
        pass

    def forget(self, function: Function) -> None:
        pass


def working_by(*steps: View) -> tuple[Host, Engine]:
    """Return a host that was given the first view, and then what has changed."""

    async def run() -> tuple[Host, Engine]:
        engine = Engine()
        host = Host(engine, environment_idle_s=1)  # type: ignore[arg-type]
        host.apply(steps[0])
        for before, after in itertools.pairwise(steps):
            host.change(views.change(before, after))
        return host, engine

    return asyncio.run(run())


def alias(**changes: Any) -> AliasView:
    return AliasView(**{"arn": f"{ARN}:live", "version_arn": f"{ARN}:1", **changes})


@pytest.mark.parametrize(
    ("called", "ran"),
    [
        (ARN, ARN),
        (f"{ARN}:$LATEST", ARN),
        (f"{ARN}:2", f"{ARN}:2"),
        (f"{ARN}:live", f"{ARN}:1"),
        (f"{ARN}:nothing", None),
    ],
)
def test_an_arn_leads_to_the_pool_of_a_version(called: str, ran: str | None) -> None:
    host, _ = working_by(View(revision=1, functions=(LATEST, ONE, TWO), aliases=(alias(),)))
    pool = host.find(called)
    assert (pool.function.version_arn if pool else None) == ran


@pytest.mark.parametrize(("weight", "ran"), [(0.0, {"1"}), (0.5, {"1", "2"}), (1.0, {"2"})])
def test_an_alias_with_weights_leads_to_either_version(weight: float, ran: set[str]) -> None:
    weighted = alias(other_arn=f"{ARN}:2", weight=weight)
    host, _ = working_by(View(revision=1, functions=(LATEST, ONE, TWO), aliases=(weighted,)))
    pools = [host.find(f"{ARN}:live") for _ in range(200)]
    assert {pool.function.version for pool in pools if pool} == ran


def test_what_has_not_changed_keeps_its_pool() -> None:
    first = View(revision=1, functions=(LATEST, ONE), aliases=(alias(),))
    moved = alias(version_arn=f"{ARN}:2")
    second = View(revision=2, functions=(LATEST, ONE, TWO), aliases=(moved,))
    host, _ = working_by(first)
    before = host.pools[f"{ARN}:1"]
    host.change(views.change(first, second))
    assert host.revision == 2
    assert host.pools[f"{ARN}:1"] is before
    assert host.find(f"{ARN}:live") is host.pools[f"{ARN}:2"]


def test_what_is_gone_is_gone() -> None:
    host, _ = working_by(
        View(revision=1, functions=(LATEST, ONE), aliases=(alias(),)),
        View(revision=2, functions=(LATEST,)),
    )
    assert (host.pools.keys(), host.aliases) == ({ARN}, {})
    assert host.find(f"{ARN}:live") is None


def test_versions_share_the_reservation_of_their_function() -> None:
    reserved = replace(LATEST, reserved_concurrency=5)
    first = View(revision=1, functions=(reserved, ONE))
    host, _ = working_by(first, replace(first, provisioned={f"{ARN}:1": 2}))
    latest, version = host.pools[ARN].allowance, host.pools[f"{ARN}:1"].allowance
    assert latest is version
    assert (latest.reserved, latest.provisioned, latest.account.reserved) == (5, 2, 5)


def test_what_is_provisioned_is_the_accounts_until_it_is_given_up() -> None:
    first = View(revision=1, functions=(LATEST, ONE, TWO))
    more = replace(first, provisioned={f"{ARN}:1": 2, f"{ARN}:2": 1})
    host, engine = working_by(first, more)
    account = host.pools[ARN].allowance.account
    assert account.reserved == 3
    assert set(engine.started) == {f"{ARN}:1", f"{ARN}:2"}
    host.change(views.change(more, replace(first, provisioned={f"{ARN}:2": 1})))
    assert account.reserved == 1
    assert host.pools[f"{ARN}:1"].statistics().provisioned == 0
    host.change(views.change(first, View(revision=3)))
    assert account.reserved == 0


def test_a_whole_view_replaces_what_there_was() -> None:
    host, _ = working_by(View(revision=1, functions=(LATEST, ONE), aliases=(alias(),)))
    other = make_function("g", Package(sha256="eA==", size=1))
    host.apply(View(revision=2, functions=(other,)))
    assert (host.pools.keys(), host.aliases) == ({function_arn("g")}, {})
