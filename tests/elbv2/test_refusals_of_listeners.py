"""Bad input to the operations on listeners, rules and their certificates: code and message.

What actions and conditions may say: test_actions.py, test_conditions.py, test_transforms.py.
"""

import pytest

from tests.elbv2.world import OK, PATH, rows

NO_BALANCER = ("LoadBalancerNotFound", "One or more load balancers not found")
NO_LISTENER = ("ListenerNotFound", "One or more listeners not found")
NO_RULE = ("RuleNotFound", "One or more rules not found")
NO_GROUP = ("TargetGroupNotFound", "Target group '{no_group}' not found")
ONE_CERTIFICATE = (
    "ValidationError",
    "You must provide a list containing exactly one certificate if the listener protocol is HTTPS.",
)
CERTIFICATE = {"CertificateArn": "{certificate}"}
FORWARD = {"Type": "forward", "TargetGroupArn": "{no_group}"}
TO_HTTP = {
    "Type": "redirect",
    "RedirectConfig": {"Protocol": "HTTP", "StatusCode": "HTTP_301"},
}
LOOP = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}


def listener(**params):
    return {
        "LoadBalancerArn": "{balancer}",
        "Protocol": "HTTP",
        "Port": 8080,
        "DefaultActions": [OK],
        **params,
    }


def without(name, **params):
    return {key: value for key, value in listener(**params).items() if key != name}


def https(**params):
    return listener(Protocol="HTTPS", Certificates=[CERTIFICATE], **params)


def change(arn="{listener}", **params):
    return {"ListenerArn": arn, **params}


def rule(**params):
    return {
        "ListenerArn": "{listener}",
        "Priority": 20,
        "Conditions": [PATH],
        "Actions": [OK],
        **params,
    }


def changed_rule(arn="{rule}", **params):
    return {"RuleArn": arn, **params}


def mutual(**params):
    return {"MutualAuthentication": params}


def only_for(member):
    return (
        "ValidationError",
        f"'{member}' can only be specified when the mutual authentication mode is verify",
    )


CREATE = rows(
    "create_listener",
    no_balancer=(listener(LoadBalancerArn="{no_balancer}"), *NO_BALANCER),
    no_port=(without("Port"), "ValidationError", "A listener port must be specified"),
    no_protocol=(without("Protocol"), "ValidationError", "A listener protocol must be specified"),
    other_protocol=(
        listener(Protocol="TCP"),
        "ValidationError",
        "Listener protocol 'TCP' must be one of 'HTTPS, HTTP'",
    ),
    no_action=(listener(DefaultActions=[]), "ValidationError", "An action must be specified"),
    no_group=(listener(DefaultActions=[FORWARD]), *NO_GROUP),
    loop=(
        listener(DefaultActions=[LOOP]),
        "InvalidLoadBalancerAction",
        "The redirect configuration is not valid because it creates a loop.",
    ),
    group_of_another=(
        listener(
            LoadBalancerArn="{internal}",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": "{used}"}],
        ),
        "TargetGroupAssociationLimit",
        "The following target groups cannot be associated with more than one load balancer: {used}",
    ),
    port_taken=(
        listener(Port=443),
        "DuplicateListener",
        "A listener already exists on this port for this load balancer '{balancer}'",
    ),
    http_with_policy=(
        listener(SslPolicy="ELBSecurityPolicy-2016-08"),
        "ValidationError",
        "An SSL policy cannot be specified for HTTP listeners",
    ),
    http_with_certificate=(
        listener(Certificates=[CERTIFICATE]),
        "ValidationError",
        "A certificate cannot be specified for HTTP listeners",
    ),
    http_with_mutual_authentication=(
        listener(**mutual(Mode="passthrough")),
        "ValidationError",
        "Mutual authentication cannot be specified for HTTP listeners",
    ),
    https_without_certificate=(listener(Protocol="HTTPS"), *ONE_CERTIFICATE),
    https_with_two=(
        listener(Protocol="HTTPS", Certificates=[CERTIFICATE, CERTIFICATE]),
        *ONE_CERTIFICATE,
    ),
    default_certificate=(
        listener(Protocol="HTTPS", Certificates=[{**CERTIFICATE, "IsDefault": True}]),
        "ValidationError",
        "The parameter 'IsDefault' cannot be specified for a certificate",
    ),
    no_certificate=(
        listener(Protocol="HTTPS", Certificates=[{"CertificateArn": "arn:aws:acm:x"}]),
        "CertificateNotFound",
        "Certificate 'arn:aws:acm:x' not found",
    ),
    no_policy=(
        https(SslPolicy="none"),
        "SSLPolicyNotFound",
        "SSL policy 'none' not found",
    ),
    alpn=(
        https(AlpnPolicy=["HTTP2Only"]),
        "ValidationError",
        "An ALPN policy cannot be specified for HTTPS listeners",
    ),
    https_to_http=(
        https(DefaultActions=[TO_HTTP]),
        "InvalidLoadBalancerAction",
        "You cannot redirect from HTTPS to HTTP",
    ),
    mode=(
        https(**mutual(Mode="on")),
        "ValidationError",
        "Mutual authentication mode 'on' must be one of 'off, passthrough, verify'",
    ),
    verify_without_store=(
        https(**mutual(Mode="verify")),
        "ValidationError",
        "A trust store ARN must be specified when the mutual authentication mode is verify",
    ),
    no_store=(
        https(**mutual(Mode="verify", TrustStoreArn="{no_trust_store}")),
        "TrustStoreNotFound",
        "One or more trust stores not found",
    ),
    store_without_verify=(
        https(**mutual(Mode="passthrough", TrustStoreArn="{trust_store}")),
        *only_for("TrustStoreArn"),
    ),
    expiry_without_verify=(
        https(**mutual(Mode="off", IgnoreClientCertificateExpiry=True)),
        *only_for("IgnoreClientCertificateExpiry"),
    ),
    names_without_verify=(
        https(**mutual(Mode="passthrough", AdvertiseTrustStoreCaNames="on")),
        *only_for("AdvertiseTrustStoreCaNames"),
    ),
    tag_twice=(
        listener(Tags=[{"Key": "a"}, {"Key": "a"}]),
        "DuplicateTagKeys",
        "Tag key 'a' was specified more than once",
    ),
)
CHANGE = [
    *rows(
        "modify_listener",
        gone=(change("{no_listener}"), *NO_LISTENER),
        no_arn=(change("x"), "ValidationError", "'x' is not a valid listener ARN"),
        port_taken=(
            change(Port=443),
            "DuplicateListener",
            "A listener already exists on this port for this load balancer '{balancer}'",
        ),
        https_without_policy=(
            change(Protocol="HTTPS", Certificates=[CERTIFICATE]),
            "ValidationError",
            "An SSL policy must be specified when the protocol of a listener becomes HTTPS",
        ),
        https_without_certificate=(
            change(Protocol="HTTPS", SslPolicy="ELBSecurityPolicy-2016-08"),
            *ONE_CERTIFICATE,
        ),
        policy_of_http=(
            change(SslPolicy="ELBSecurityPolicy-2016-08"),
            "ValidationError",
            "An SSL policy cannot be specified for HTTP listeners",
        ),
        no_group=(change(DefaultActions=[FORWARD]), *NO_GROUP),
        https_to_http=(
            change("{https}", DefaultActions=[TO_HTTP]),
            "InvalidLoadBalancerAction",
            "You cannot redirect from HTTPS to HTTP",
        ),
    ),
    *rows("delete_listener", gone=(change("{no_listener}"), *NO_LISTENER)),
    *rows("describe_listener_attributes", gone=(change("{no_listener}"), *NO_LISTENER)),
    *rows(
        "modify_listener_attributes",
        gone=(change("{no_listener}", Attributes=[{"Key": "a", "Value": "b"}]), *NO_LISTENER),
        none=(change(Attributes=[]), "ValidationError", "An attribute must be specified"),
        unknown=(
            change(Attributes=[{"Key": "a", "Value": "b"}]),
            "ValidationError",
            "Listener attribute key 'a' is not recognized",
        ),
        of_network_load_balancers=(
            change("{https}", Attributes=[{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]),
            "InvalidConfigurationRequest",
            "Listener attribute key 'tcp.idle_timeout.seconds' is not supported on listeners "
            "with protocol 'HTTPS'",
        ),
    ),
    *rows(
        "describe_listeners",
        neither=(
            {},
            "ValidationError",
            "You must specify either listener ARNs or a load balancer ARN",
        ),
        both=(
            {"LoadBalancerArn": "{balancer}", "ListenerArns": ["{listener}"]},
            "ValidationError",
            "Listener ARNs and a load balancer ARN cannot be specified at the same time",
        ),
        no_balancer=({"LoadBalancerArn": "{no_balancer}"}, *NO_BALANCER),
        gone=({"ListenerArns": ["{listener}", "{no_listener}"]}, *NO_LISTENER),
    ),
]
CERTIFICATES = [
    row
    for operation in ("add_listener_certificates", "remove_listener_certificates")
    for row in rows(
        operation,
        gone=(change("{no_listener}", Certificates=[CERTIFICATE]), *NO_LISTENER),
        http=(
            change(Certificates=[CERTIFICATE]),
            "ValidationError",
            "A certificate cannot be specified for HTTP listeners",
        ),
        none=(change("{https}", Certificates=[]), *ONE_CERTIFICATE),
        two=(change("{https}", Certificates=[CERTIFICATE] * 2), *ONE_CERTIFICATE),
        default=(
            change("{https}", Certificates=[{**CERTIFICATE, "IsDefault": False}]),
            "ValidationError",
            "The parameter 'IsDefault' cannot be specified for a certificate",
        ),
    )
] + [
    *rows(
        "add_listener_certificates",
        no_certificate=(
            change("{https}", Certificates=[{"CertificateArn": "x"}]),
            "CertificateNotFound",
            "Certificate 'x' not found",
        ),
    ),
    *rows(
        "remove_listener_certificates",
        the_default_one=(
            change("{https}", Certificates=[CERTIFICATE]),
            "OperationNotPermitted",
            "The default certificate of a listener cannot be removed",
        ),
    ),
    *rows("describe_listener_certificates", gone=(change("{no_listener}"), *NO_LISTENER)),
]
RULES = [
    *rows(
        "create_rule",
        no_listener=(rule(ListenerArn="{no_listener}"), *NO_LISTENER),
        priority_taken=(
            rule(Priority=10),
            "PriorityInUse",
            "Priority '10' is currently in use",
        ),
        no_condition=(rule(Conditions=[]), "ValidationError", "A condition must be specified"),
        no_action=(rule(Actions=[]), "ValidationError", "An action must be specified"),
        no_group=(rule(Actions=[FORWARD]), *NO_GROUP),
        loop=(
            rule(Actions=[LOOP]),
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
        ),
        https_to_http=(
            rule(ListenerArn="{https}", Actions=[TO_HTTP]),
            "InvalidLoadBalancerAction",
            "You cannot redirect from HTTPS to HTTP",
        ),
        reserved_tag=(
            rule(Tags=[{"Key": "aws:x"}]),
            "ValidationError",
            "aws: prefixed tag key names are not allowed for external use.",
        ),
    ),
    *rows(
        "modify_rule",
        gone=(changed_rule("{no_rule}", Actions=[OK]), *NO_RULE),
        nothing=(
            changed_rule(),
            "ValidationError",
            "Either conditions or actions must be specified",
        ),
        default=(
            changed_rule("{default_rule}", Actions=[OK]),
            "OperationNotPermitted",
            "Default rule '{default_rule}' cannot be modified",
        ),
        both_ways=(
            changed_rule(
                Transforms=[
                    {
                        "Type": "url-rewrite",
                        "UrlRewriteConfig": {"Rewrites": [{"Regex": "a", "Replace": "b"}]},
                    }
                ],
                ResetTransforms=True,
            ),
            "ValidationError",
            "You cannot specify both 'Transforms' and 'ResetTransforms'",
        ),
        no_group=(changed_rule(Actions=[FORWARD]), *NO_GROUP),
    ),
    *rows(
        "delete_rule",
        gone=(changed_rule("{no_rule}"), *NO_RULE),
        no_arn=(changed_rule("x"), "ValidationError", "'x' is not a valid listener rule ARN"),
        default=(
            changed_rule("{default_rule}"),
            "OperationNotPermitted",
            "Default rule '{default_rule}' cannot be deleted",
        ),
    ),
    *rows(
        "describe_rules",
        neither=(
            {},
            "ValidationError",
            "You must specify either listener rule ARNs or a listener ARN",
        ),
        both=(
            {"ListenerArn": "{listener}", "RuleArns": ["{rule}"]},
            "ValidationError",
            "Listener rule ARNs and a listener ARN cannot be specified at the same time",
        ),
        no_listener=({"ListenerArn": "{no_listener}"}, *NO_LISTENER),
        gone=({"RuleArns": ["{rule}", "{no_rule}"]}, *NO_RULE),
    ),
    *rows(
        "set_rule_priorities",
        none=({"RulePriorities": []}, "ValidationError", "A rule priority must be specified"),
        half=(
            {"RulePriorities": [{"RuleArn": "{rule}"}]},
            "ValidationError",
            "A rule ARN and a priority must be specified",
        ),
        gone=({"RulePriorities": [{"RuleArn": "{no_rule}", "Priority": 1}]}, *NO_RULE),
        default=(
            {"RulePriorities": [{"RuleArn": "{default_rule}", "Priority": 1}]},
            "OperationNotPermitted",
            "The priority of default rule '{default_rule}' cannot be set",
        ),
        rule_twice=(
            {"RulePriorities": [{"RuleArn": "{rule}", "Priority": each} for each in (1, 2)]},
            "ValidationError",
            "Rule '{rule}' was provided multiple times",
        ),
    ),
]


@pytest.mark.parametrize(
    ("operation", "params", "code", "message"), [*CREATE, *CHANGE, *CERTIFICATES, *RULES]
)
def test_a_call_is_refused(world, operation, params, code, message):
    assert world.refusal(operation, params) == (400, code, world.text(message))
