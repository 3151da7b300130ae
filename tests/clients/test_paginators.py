"""boto3's paginators of elbv2: pages are whole although resources come and go between them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from botocore.loaders import Loader

from tests.support import tls
from tests.support.api import Api

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]


@dataclass
class Listed:
    """What an operation lists. `make(n)` makes a resource in n-th place and returns its id."""

    member: str
    id: str
    make: Callable[[int], str]
    delete: Callable[[str], object]
    params: dict[str, Any]


class Lists:
    """What each paginator lists, by the operation's name in Python."""

    def __init__(self, api: Api, account: str) -> None:
        self._api = api
        self._account = account
        self._elb = api.client("elbv2", account)
        self._names = count()

    def describe_load_balancers(self) -> Listed:
        return Listed(
            *("LoadBalancers", "LoadBalancerArn", lambda n: self._balancer(f"b{n:03}")),
            lambda arn: self._elb.delete_load_balancer(LoadBalancerArn=arn),
            {},
        )

    def describe_target_groups(self) -> Listed:
        def make(number: int) -> str:
            made = self._elb.create_target_group(Name=f"g{number:03}", TargetType="lambda")
            arn: str = made["TargetGroups"][0]["TargetGroupArn"]
            return arn

        return Listed(
            *("TargetGroups", "TargetGroupArn", make),
            lambda arn: self._elb.delete_target_group(TargetGroupArn=arn),
            {},
        )

    def describe_listeners(self) -> Listed:
        balancer = self._balancer("lb")
        return Listed(
            *("Listeners", "ListenerArn", lambda n: self._listener(balancer, 1000 + n)),
            lambda arn: self._elb.delete_listener(ListenerArn=arn),
            {"LoadBalancerArn": balancer},
        )

    def describe_rules(self) -> Listed:
        listener = self._listener(self._balancer("lb"), 80)

        def make(number: int) -> str:
            conditions = [{"Field": "path-pattern", "Values": ["/"]}]
            made = self._elb.create_rule(
                ListenerArn=listener, Priority=number + 1, Conditions=conditions, Actions=OK
            )
            arn: str = made["Rules"][0]["RuleArn"]
            return arn

        delete = self._elb.delete_rule
        return Listed(
            "Rules", "RuleArn", make, lambda arn: delete(RuleArn=arn), {"ListenerArn": listener}
        )

    def describe_listener_certificates(self) -> Listed:
        security = [{"CertificateArn": self._certificate(0)}]
        balancer = self._balancer("lb")
        listener = self._elb.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTPS",
            Port=443,
            Certificates=security,
            DefaultActions=OK,
        )["Listeners"][0]["ListenerArn"]

        def change(call: Any, arn: str) -> str:
            call(ListenerArn=listener, Certificates=[{"CertificateArn": arn}])
            return arn

        return Listed(
            *("Certificates", "CertificateArn"),
            lambda n: change(self._elb.add_listener_certificates, self._certificate(n)),
            lambda arn: change(self._elb.remove_listener_certificates, arn),
            {"ListenerArn": listener},
        )

    def describe_trust_stores(self) -> Listed:
        return Listed(
            *("TrustStores", "TrustStoreArn", lambda n: self._trust_store(f"t{n:03}")),
            lambda arn: self._elb.delete_trust_store(TrustStoreArn=arn),
            {},
        )

    def describe_trust_store_associations(self) -> Listed:
        trust_store, certificate = self._trust_store("t"), self._certificate(0)

        def make(number: int) -> str:
            balancer = self._balancer(f"b{number:03}")
            self._elb.create_listener(
                LoadBalancerArn=balancer,
                Protocol="HTTPS",
                Port=443,
                Certificates=[{"CertificateArn": certificate}],
                MutualAuthentication={"Mode": "verify", "TrustStoreArn": trust_store},
                DefaultActions=OK,
            )
            return balancer

        return Listed(
            *("TrustStoreAssociations", "ResourceArn", make),
            lambda arn: self._elb.delete_load_balancer(LoadBalancerArn=arn),
            {"TrustStoreArn": trust_store},
        )

    def describe_trust_store_revocations(self) -> Listed:
        trust_store = self._trust_store("t")
        self._api.objects["s3://trust/crl.pem"] = _AUTHORITY.revoking()
        content = [{"S3Bucket": "trust", "S3Key": "crl.pem"}]

        def make(_: int) -> Any:
            made = self._elb.add_trust_store_revocations(
                TrustStoreArn=trust_store, RevocationContents=content
            )
            return made["TrustStoreRevocations"][0]["RevocationId"]

        return Listed(
            *("TrustStoreRevocations", "RevocationId", make),
            lambda number: self._elb.remove_trust_store_revocations(
                TrustStoreArn=trust_store, RevocationIds=[number]
            ),
            {"TrustStoreArn": trust_store},
        )

    def _balancer(self, name: str) -> str:
        made = self._elb.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"])
        arn: str = made["LoadBalancers"][0]["LoadBalancerArn"]
        return arn

    def _listener(self, balancer: str, port: int) -> str:
        made = self._elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=OK
        )
        arn: str = made["Listeners"][0]["ListenerArn"]
        return arn

    def _certificate(self, number: int) -> str:
        acm = self._api.client("acm", self._account)
        made = acm.request_certificate(
            DomainName=f"c{number}.example.com", KeyAlgorithm="EC_prime256v1"
        )
        arn: str = made["CertificateArn"]
        return arn

    def _trust_store(self, name: str) -> str:
        self._api.objects["s3://trust/ca.pem"] = _AUTHORITY.pem
        made = self._elb.create_trust_store(
            Name=name,
            CaCertificatesBundleS3Bucket="trust",
            CaCertificatesBundleS3Key="ca.pem",
        )
        arn: str = made["TrustStores"][0]["TrustStoreArn"]
        return arn


_AUTHORITY = tls.authority()
CHANGING = sorted(name for name in vars(Lists) if name.startswith("describe_"))
# Of what nothing comes and goes.
STEADY = {
    "describe_account_limits": "Limits",
    "describe_ssl_policies": "SslPolicies",
}


@pytest.mark.parametrize("operation", CHANGING)
def test_what_stays_is_on_one_page_although_others_come_and_go(
    shared_api: Api, account: str, elb: Any, operation: str
) -> None:
    listed: Listed = getattr(Lists(shared_api, account), operation)()
    made = [listed.make(number) for number in range(10, 26, 2)]
    pages = elb.get_paginator(operation).paginate(**listed.params, PaginationConfig={"PageSize": 3})
    found: list[str] = []
    gone: set[str] = set()
    new: list[str] = []
    for number, page in enumerate(pages):
        assert len(page[listed.member]) <= 3
        found += [each[listed.id] for each in page[listed.member]]
        left = [arn for arn in made if arn not in found and arn not in gone]
        if number == 0:
            before = {arn for arn in made if arn in found} | set(left[:1])
            for arn in before:  # the one that the marker names, too
                listed.delete(arn)
            gone = before
            new = [listed.make(9), listed.make(27)]
    assert len(found) == len(set(found))
    stayed = [arn for arn in made if arn not in gone]
    assert [arn for arn in found if arn in stayed] == sorted(stayed, key=_order(operation, made))
    assert new[1] in found or operation == "describe_listener_certificates"
    assert not gone & set(found[3:])


def _order(operation: str, made: list[str]) -> Callable[[str], Any]:
    """Certificates come in the order of their ARNs, all else in that of name, port, priority."""
    return str if operation == "describe_listener_certificates" else made.index


@pytest.mark.parametrize(("operation", "member"), STEADY.items())
def test_pages_of_what_is_fixed_are_the_whole_of_it(elb: Any, operation: str, member: str) -> None:
    whole = getattr(elb, operation)()[member]
    pages = list(elb.get_paginator(operation).paginate(PaginationConfig={"PageSize": 3}))
    assert [each for page in pages for each in page[member]] == whole
    assert [len(page[member]) for page in pages[:-1]] == [3] * (len(pages) - 1)


def test_a_list_goes_on_where_it_was_left_off(shared_api: Api, account: str, elb: Any) -> None:
    listed = Lists(shared_api, account).describe_target_groups()
    made = [listed.make(number) for number in range(5)]
    paginator = elb.get_paginator("describe_target_groups")
    first = paginator.paginate(PaginationConfig={"MaxItems": 2, "PageSize": 2}).build_full_result()
    listed.delete(made[1])
    token = {"StartingToken": first["NextToken"]}
    rest = paginator.paginate(PaginationConfig=token).build_full_result()
    assert [each["TargetGroupArn"] for each in first["TargetGroups"]] == made[:2]
    assert [each["TargetGroupArn"] for each in rest["TargetGroups"]] == made[2:]


def test_every_paginator_is_tried() -> None:
    known = Loader().load_service_model("elbv2", "paginators-1")["pagination"]
    tried = {*CHANGING, *STEADY}
    assert {name.replace("_", "") for name in tried} == {name.lower() for name in known}
