"""Bad input to the operations on trust stores, tags, policies and pages: code and message."""

import pytest

from tests.elbv2.world import rows

NO_STORE = ("TrustStoreNotFound", "One or more trust stores not found")
NO_ARN = ("ValidationError", "'x' is not a valid trust store ARN")
BUNDLE = {"CaCertificatesBundleS3Bucket": "world", "CaCertificatesBundleS3Key": "ca.pem"}
TAGS = {"Tags": [{"Key": "a", "Value": "b"}]}


def of(params=None, store="{trust_store}"):
    return {"TrustStoreArn": store, **(params or {})}


def of_one(operation, params=None):
    """Return the rows that every operation on one trust store has."""
    return rows(
        operation,
        gone=(of(params, "{no_trust_store}"), *NO_STORE),
        no_arn=(of(params, "x"), *NO_ARN),
    )


STORES = [
    *rows(
        "create_trust_store",
        bad_name=(
            {"Name": "a--b", **BUNDLE},
            "ValidationError",
            "1 validation error detected: Value 'a--b' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^([a-zA-Z0-9]+-)*[a-zA-Z0-9]+$",
        ),
        no_bundle=(
            {"Name": "new", **BUNDLE, "CaCertificatesBundleS3Key": "none.pem"},
            "CaCertificatesBundleNotFound",
            "s3://world/none.pem: not found",
        ),
    ),
    *of_one("modify_trust_store", BUNDLE),
    *of_one("delete_trust_store"),
    *of_one("add_trust_store_revocations"),
    *rows(
        "add_trust_store_revocations",
        nothing=(of(), "ValidationError", "A revocation content must be specified"),
        no_key=(
            of({"RevocationContents": [{"S3Bucket": "world"}]}),
            "ValidationError",
            "'S3Bucket' and 'S3Key' of a revocation content are required",
        ),
        no_list=(
            of({"RevocationContents": [{"S3Bucket": "world", "S3Key": "none.crl"}]}),
            "RevocationContentNotFound",
            "s3://world/none.crl: not found",
        ),
    ),
    *of_one("remove_trust_store_revocations", {"RevocationIds": [1]}),
    *rows(
        "remove_trust_store_revocations",
        no_list=(
            of({"RevocationIds": [9]}),
            "RevocationIdNotFound",
            "Revocation ID '9' not found",
        ),
        none=(of({"RevocationIds": []}), "ValidationError", "A revocation ID must be specified"),
    ),
    *of_one("describe_trust_store_revocations"),
    *rows(
        "describe_trust_store_revocations",
        no_list=(
            of({"RevocationIds": [9]}),
            "RevocationIdNotFound",
            "Revocation ID '9' not found",
        ),
    ),
    *of_one("describe_trust_store_associations"),
    *of_one("get_trust_store_ca_certificates_bundle"),
    *of_one("get_trust_store_revocation_content", {"RevocationId": 1}),
    *rows(
        "get_trust_store_revocation_content",
        no_list=(of({"RevocationId": 9}), "RevocationIdNotFound", "Revocation ID '9' not found"),
    ),
    *of_one("delete_shared_trust_store_association", {"ResourceArn": "{balancer}"}),
    *rows(
        "delete_shared_trust_store_association",
        none_there=(
            of({"ResourceArn": "{balancer}"}),
            "AssociationNotFound",
            "'{balancer}' is not associated with '{trust_store}'",
        ),
    ),
    *rows(
        "describe_trust_stores",
        gone=({"TrustStoreArns": ["{no_trust_store}"]}, *NO_STORE),
        no_such_name=({"Names": ["none"]}, *NO_STORE),
        both=(
            {"TrustStoreArns": ["{trust_store}"], "Names": ["store"]},
            "ValidationError",
            "Trust store ARNs and names cannot be specified at the same time",
        ),
    ),
    *rows(
        "get_resource_policy",
        not_shared=(
            {"ResourceArn": "{trust_store}"},
            "ResourceNotFound",
            "The resource '{trust_store}' is not shared, so it has no policy",
        ),
        gone=(
            {"ResourceArn": "{no_trust_store}"},
            "ResourceNotFound",
            "The resource '{no_trust_store}' does not exist or cannot be shared",
        ),
        of_another_kind=(
            {"ResourceArn": "{balancer}"},
            "ResourceNotFound",
            "The resource '{balancer}' does not exist or cannot be shared",
        ),
        no_arn=({"ResourceArn": "x"}, "ValidationError", "'x' is not a valid resource ARN"),
    ),
]


def of_resources(operation, params):
    """Return the rows that every operation on tags has."""
    return rows(
        operation,
        none=(
            {"ResourceArns": [], **params},
            "ValidationError",
            "A resource ARN must be specified",
        ),
        no_arn=(
            {"ResourceArns": ["x"], **params},
            "ValidationError",
            "'x' is not a valid resource ARN",
        ),
        no_balancer=(
            {"ResourceArns": ["{balancer}", "{no_balancer}"], **params},
            "LoadBalancerNotFound",
            "One or more load balancers not found",
        ),
        no_group=(
            {"ResourceArns": ["{no_group}"], **params},
            "TargetGroupNotFound",
            "One or more target groups not found",
        ),
        no_listener=(
            {"ResourceArns": ["{no_listener}"], **params},
            "ListenerNotFound",
            "One or more listeners not found",
        ),
        no_rule=(
            {"ResourceArns": ["{no_rule}"], **params},
            "RuleNotFound",
            "One or more rules not found",
        ),
        no_store=({"ResourceArns": ["{no_trust_store}"], **params}, *NO_STORE),
    )


TAGGING = [
    *of_resources("add_tags", TAGS),
    *rows(
        "add_tags",
        twice=(
            {"ResourceArns": ["{balancer}"], "Tags": [{"Key": "a"}, {"Key": "a"}]},
            "DuplicateTagKeys",
            "Tag key 'a' was specified more than once",
        ),
        too_many=(
            {"ResourceArns": ["{balancer}"], "Tags": [{"Key": f"k{n}"} for n in range(51)]},
            "TooManyTags",
            "A resource can have up to '50' tags",
        ),
        reserved=(
            {"ResourceArns": ["{balancer}"], "Tags": [{"Key": "AWS:a"}]},
            "ValidationError",
            "aws: prefixed tag key names are not allowed for external use.",
        ),
    ),
    *of_resources("remove_tags", {"TagKeys": ["a"]}),
    *rows(
        "remove_tags",
        no_key=(
            {"ResourceArns": ["{balancer}"], "TagKeys": []},
            "ValidationError",
            "A tag key must be specified",
        ),
    ),
    *of_resources("describe_tags", {}),
    *rows(
        "describe_tags",
        too_many=(
            {"ResourceArns": ["{balancer}"] * 21},
            "ValidationError",
            "Up to '20' resource ARNs can be specified, but '21' were specified",
        ),
    ),
]
PAGED = {
    "describe_account_limits": {},
    "describe_listener_certificates": {"ListenerArn": "{https}"},
    "describe_listeners": {"LoadBalancerArn": "{balancer}"},
    "describe_load_balancers": {},
    "describe_rules": {"ListenerArn": "{listener}"},
    "describe_ssl_policies": {},
    "describe_target_groups": {},
    "describe_trust_store_associations": {"TrustStoreArn": "{trust_store}"},
    "describe_trust_store_revocations": {"TrustStoreArn": "{trust_store}"},
    "describe_trust_stores": {},
}
PAGES = [
    row
    for operation, params in PAGED.items()
    for row in rows(
        operation,
        no_page=(
            {**params, "PageSize": 0},
            "ValidationError",
            "1 validation error detected: Value '0' at 'pageSize' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        large_page=(
            {**params, "PageSize": 401},
            "ValidationError",
            "1 validation error detected: Value '401' at 'pageSize' failed to satisfy constraint: "
            "Member must have value less than or equal to 400",
        ),
        marker=({**params, "Marker": "!"}, "ValidationError", "'!' is not a valid marker"),
        marker_that_decodes=(
            {**params, "Marker": "YWJjZGVmZ2hpag=="},
            "ValidationError",
            "'YWJjZGVmZ2hpag==' is not a valid marker",
        ),
    )
]
POLICIES = rows(
    "describe_ssl_policies",
    gone=({"Names": ["none"]}, "SSLPolicyNotFound", "SSL policy 'none' not found"),
)


@pytest.mark.parametrize(
    ("operation", "params", "code", "message"), [*STORES, *TAGGING, *PAGES, *POLICIES]
)
def test_a_call_is_refused(world, operation, params, code, message):
    assert world.refusal(operation, params) == (400, code, world.text(message))


def test_a_marker_of_one_list_is_none_of_another(world):
    marker = world.call("describe_account_limits", PageSize=1)["NextMarker"]
    assert world.call("describe_account_limits", PageSize=1, Marker=marker)["NextMarker"] != marker
    expected = (400, "ValidationError", f"'{marker}' is not a valid marker")
    assert world.refusal("describe_target_groups", {"Marker": marker}) == expected


def test_an_empty_marker_is_none(world):
    assert world.call("describe_target_groups", Marker="")["TargetGroups"]
