"""The check of the store's consistency finds each kind of fault."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support import consistency
from tests.support.api import DATABASE, Api, api

FORWARD = "forward"


def _fill(made: Api) -> None:
    """Make something of everything."""
    elb = made.client("elbv2", "123456789012")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    certificate = made.client("acm", "123456789012").request_certificate(
        DomainName="a.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    for name in ("one", "two"):
        balancer = elb.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"], Tags=tags)[
            "LoadBalancers"
        ][0]["LoadBalancerArn"]
        group = elb.create_target_group(Name=name, TargetType="lambda", Tags=tags)["TargetGroups"]
        actions = [{"Type": FORWARD, "TargetGroupArn": group[0]["TargetGroupArn"]}]
        for port, security in (
            (80, {"Protocol": "HTTP"}),
            (443, {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}]}),
        ):
            listener = elb.create_listener(
                LoadBalancerArn=balancer, Port=port, DefaultActions=actions, **security
            )["Listeners"][0]["ListenerArn"]
            for priority in (1, 2):
                elb.create_rule(
                    ListenerArn=listener,
                    Priority=priority,
                    Conditions=[{"Field": "path-pattern", "Values": [f"/{priority}"]}],
                    Actions=actions,
                )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("consistency")
    with api(path) as made:
        _fill(made)
        assert made.faults() == []
        assert consistency.faults_of_api(made.client("elbv2", "123456789012")) == []
    return path


_OTHER_PRIORITY = "document = replace(document, '\"priority\":2', '\"priority\":1'), name = '1'"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        pytest.param(
            "DELETE FROM resources WHERE kind = 'listener' AND name = '80'",
            "an orphan",
            id="rules without their listener",
        ),
        pytest.param(
            "DELETE FROM resources WHERE kind = 'rule' AND name = 'default'",
            "has 0 default rules",
            id="no default rule",
        ),
        pytest.param(
            f"UPDATE resources SET {_OTHER_PRIORITY} WHERE kind = 'rule' AND name = '2'",
            "2 rules with the priority",
            id="priority twice",
        ),
        pytest.param(
            "UPDATE resources SET name = '443' WHERE kind = 'listener'",
            "otherwise than its document",
            id="column",
        ),
        pytest.param(
            "DELETE FROM resources WHERE kind = 'target-group'", "forwards to", id="target group"
        ),
        pytest.param(
            "DELETE FROM resources WHERE kind = 'certificate'", "its certificate", id="certificate"
        ),
        pytest.param(
            "DELETE FROM uses WHERE arn IN (SELECT arn FROM uses LIMIT 1)",
            "is not noted",
            id="use that is not noted",
        ),
        pytest.param(
            "INSERT INTO uses VALUES ('arn:aws:x:us-east-1:1:rule', 'y')",
            "and does not",
            id="use of no rule",
        ),
        pytest.param(
            "INSERT INTO tags VALUES ('gone', 'k', 'v', 0)", "has tags and is not there", id="tags"
        ),
        pytest.param("DELETE FROM tags WHERE key = 'a'", "at the positions", id="a tag is gone"),
        pytest.param("UPDATE state SET revision = 1", "revision", id="revision"),
        pytest.param(
            "UPDATE resources SET account = '999999999999'", "is kept under", id="account"
        ),
        pytest.param(
            "UPDATE resources SET name = 'one', document = replace(document, '\"two\"', '\"one\"') "
            "WHERE kind = 'target-group'",
            "2 target-groups with the name",
            id="name twice",
        ),
    ],
)
def test_a_fault_is_found(directory: Path, tmp_path: Path, statement: str, fault: str) -> None:
    with (
        sqlite3.connect(directory / DATABASE) as source,
        sqlite3.connect(tmp_path / DATABASE) as copy,
    ):
        source.backup(copy)
        copy.execute(statement)
    source.close()
    copy.close()
    found = consistency.faults(tmp_path, database=DATABASE)
    assert any(fault in one for one in found), found


def test_a_private_key_of_no_certificate_is_found_at_rest(directory: Path) -> None:
    stray = directory / "certificates" / f"{'0' * 32}.key"
    stray.touch()
    try:
        assert consistency.faults(directory, database=DATABASE) == []
        (found,) = consistency.faults(directory, database=DATABASE, at_rest=True)
        assert "of no certificate" in found
    finally:
        stray.unlink()


class _Lies:
    """An API that says of target groups what is not so."""

    def __init__(self, elb: Any) -> None:
        self._elb = elb

    def __getattr__(self, name: str) -> Any:
        return getattr(self._elb, name)

    def get_paginator(self, operation: str) -> Any:
        paginator = self._elb.get_paginator(operation)
        if operation != "describe_target_groups":
            return paginator
        for group in (pages := list(paginator.paginate()))[0]["TargetGroups"]:
            group["LoadBalancerArns"] = ["other"]
        return type("Pages", (), {"paginate": lambda *_: pages})()


def test_answers_that_contradict_each_other_are_found(directory: Path) -> None:
    with api(directory) as made:
        found = consistency.faults_of_api(_Lies(made.client("elbv2", "123456789012")))
    assert len(found) == 2
    assert all("is said to be used by ['other']" in fault for fault in found)
