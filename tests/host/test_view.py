"""What the host needs of a snapshot, and what makes of one view the next."""

import datetime
from dataclasses import replace

import pytest

from albatross.host import view as views
from albatross.host.view import AliasView, Change, TargetGroupView, View
from albatross.model.function import ELB_SERVICE, Function, Package, Secrets, Statement
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import HealthCheck, Target, TargetGroup
from albatross.model.version import Alias, Provisioned, Version

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/g/0123456789abcdef"
ALLOWED = (Statement(sid="s", action="lambda:InvokeFunction", principal=ELB_SERVICE),)
FUNCTION = Function(
    arn=ARN,
    name="f",
    runtime="python3.11",
    handler="app.handler",
    role="r",
    code=Package(sha256="eA==", size=1),
    last_modified=NOW,
    revision_id="1",
    environment=Secrets({"KEY": "secret"}),
)
VERSIONS = tuple(
    Version(arn=f"{ARN}:{number}", function=FUNCTION.snapshot(number)) for number in ("1", "2")
)
ALIAS = Alias(
    arn=f"{ARN}:live",
    name="live",
    function_arn=ARN,
    version="1",
    revision_id="1",
    weights={"2": 0.25},
)


def snapshot(**changes: object) -> Snapshot:
    kinds = {"functions": (FUNCTION,), "versions": VERSIONS, "aliases": (ALIAS,)}
    return Snapshot(revision=1, **{**kinds, **changes})  # type: ignore[arg-type]


def view(found: Snapshot) -> View:
    return views.view(found, idle_timeout=True)


def test_versions_are_functions_and_aliases_lead_to_them() -> None:
    found = view(snapshot())
    assert [each.version_arn for each in found.functions] == [ARN, f"{ARN}:1", f"{ARN}:2"]
    assert found.aliases == (
        AliasView(arn=f"{ARN}:live", version_arn=f"{ARN}:1", other_arn=f"{ARN}:2", weight=0.25),
    )


def test_an_alias_of_latest_leads_to_the_function_itself() -> None:
    alias = replace(ALIAS, version="$LATEST", weights={})
    assert view(snapshot(aliases=(alias,))).aliases == (
        AliasView(arn=f"{ARN}:live", version_arn=ARN),
    )


@pytest.mark.parametrize(
    ("target", "changes", "may_invoke"),
    [
        pytest.param(ARN, {}, False, id="function, not allowed"),
        pytest.param(ARN, {"functions": (replace(FUNCTION, policy=ALLOWED),)}, True, id="function"),
        pytest.param(
            f"{ARN}:$LATEST",
            {"functions": (replace(FUNCTION, policy=ALLOWED),)},
            True,
            id="$LATEST has the policy of the function",
        ),
        pytest.param(
            f"{ARN}:1",
            {"functions": (replace(FUNCTION, policy=ALLOWED),)},
            False,
            id="a version has not",
        ),
        pytest.param(
            f"{ARN}:1", {"versions": (replace(VERSIONS[0], policy=ALLOWED),)}, True, id="version"
        ),
        pytest.param(
            f"{ARN}:live",
            {"versions": tuple(replace(each, policy=ALLOWED) for each in VERSIONS)},
            False,
            id="an alias has not that of its version",
        ),
        pytest.param(
            f"{ARN}:live", {"aliases": (replace(ALIAS, policy=ALLOWED),)}, True, id="alias"
        ),
        pytest.param(f"{ARN}:gone", {}, False, id="nothing there"),
    ],
)
def test_the_policy_asked_is_that_of_the_qualifier(
    target: str, changes: dict[str, object], may_invoke: bool
) -> None:
    group = TargetGroup(
        arn=GROUP,
        name="g",
        target_type="lambda",
        health_check=HealthCheck(enabled=False),
        targets=(Target(id=target),),
    )
    (found,) = view(snapshot(target_groups=(group,), **changes)).target_groups
    assert (found.function_arn, found.may_invoke) == (target, may_invoke)


@pytest.mark.parametrize(
    ("executions", "weights", "parts"),
    [
        (4, {}, {"1": 4}),
        (4, {"2": 0.25}, {"1": 3, "2": 1}),
        (3, {"2": 0.1}, {"1": 2, "2": 1}),
        (1, {"2": 0.1}, {"2": 1}),
        (5, {"2": 1.0}, {"2": 5}),
        (5, {"2": 0.0}, {"1": 5}),
    ],
)
def test_provisioned_concurrency_of_an_alias_is_split_by_weight(
    executions: int, weights: dict[str, float], parts: dict[str, int]
) -> None:
    provisioned = Provisioned(executions=executions, last_modified=NOW)
    alias = replace(ALIAS, weights=weights, provisioned=provisioned)
    expected = {f"{ARN}:{version}": part for version, part in parts.items()}
    assert view(snapshot(aliases=(alias,))).provisioned == expected


def test_provisioned_concurrency_of_a_version_comes_on_top() -> None:
    provisioned = Provisioned(executions=2, last_modified=NOW)
    first = replace(VERSIONS[0], provisioned=provisioned)
    other = replace(ALIAS, weights={}, provisioned=provisioned)
    found = view(snapshot(versions=(first,), aliases=(other,)))
    assert found.provisioned == {f"{ARN}:1": 4}


def test_views_and_changes_are_as_before_after_a_journey() -> None:
    found = view(snapshot())
    assert views.decode(views.encode(found), View) == found
    changed = views.change(View(revision=0), found)
    assert views.decode(views.encode(changed), Change) == changed
    with pytest.raises(ValueError, match="not a view"):
        views.decode(b'{"revision": 1, "functions": [1]}', View)


def test_a_change_is_what_differs() -> None:
    before = view(snapshot())
    moved = replace(ALIAS, version="2", weights={})
    after = replace(view(snapshot(versions=VERSIONS[:1], aliases=(moved,))), revision=2)
    found = views.change(before, after)
    assert found == Change(
        revision=2,
        aliases=(AliasView(arn=f"{ARN}:live", version_arn=f"{ARN}:2"),),
        gone=(f"{ARN}:2",),
    )
    assert views.change(after, after) == Change(revision=2)


def test_a_change_names_groups_and_aliases_that_are_gone() -> None:
    group = TargetGroupView(
        arn=GROUP, multi_value=False, idle_timeout_s=None, function_arn=None, may_invoke=False
    )
    before = replace(view(snapshot()), target_groups=(group,))
    after = view(snapshot(aliases=()))
    assert set(views.change(before, after).gone) == {GROUP, f"{ARN}:live"}
