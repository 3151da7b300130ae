"""Resources as the API's documents. Source: elbv2 API, shapes `LoadBalancer`, `Listener`, `Rule`,
`TargetGroup`; examples of the AWS CLI.
"""

from typing import Any, assert_never

from albatross.model.health import TargetHealth
from albatross.model.listener import Listener, MutualAuthentication
from albatross.model.load_balancer import LoadBalancer, Zone
from albatross.model.rule import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HostHeader,
    HostHeaderRewrite,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    Redirect,
    Rule,
    SourceIp,
    Transform,
    UrlRewrite,
)
from albatross.model.target_group import HealthCheck, TargetGroup
from albatross.model.trust_store import RevocationList, TrustStore

Document = dict[str, Any]

# differs from AWS: CanonicalHostedZoneId is that of us-east-1 in every Region.
HOSTED_ZONE_ID = "Z35SXDOTRQ7X7K"
DECREASES_MAX = 2  # of a reserved capacity in a day


def from_load_balancer(balancer: LoadBalancer, *, state: str = "active") -> Document:
    return {
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        "CanonicalHostedZoneId": HOSTED_ZONE_ID,
        "CreatedTime": balancer.created_at,
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": balancer.vpc_id,
        "State": {"Code": state},
        "Type": "application",
        "AvailabilityZones": from_zones(balancer.zones),
        "SecurityGroups": list(balancer.security_groups),
        "IpAddressType": balancer.ip_address_type,
        **({"IpamPools": from_ipam_pool(balancer.ipam_pool)} if balancer.ipam_pool else {}),
    }


def from_ipam_pool(pool: str | None) -> Document:
    return _present(Ipv4IpamPoolId=pool)


def from_capacity(balancer: LoadBalancer, *, state: str = "provisioned") -> Document:
    """Return the document of the reservation's operations; each zone has an equal share."""
    capacity = balancer.capacity
    document: Document = {"DecreaseRequestsRemaining": DECREASES_MAX - len(capacity.decreased_at)}
    if capacity.modified_at is not None:
        document["LastModifiedTime"] = capacity.modified_at
    if capacity.units is None:
        return document
    share = capacity.units / len(balancer.zones)
    return document | {
        "MinimumLoadBalancerCapacity": {"CapacityUnits": capacity.units},
        "CapacityReservationState": [
            {
                "State": {"Code": state},
                "AvailabilityZone": zone.name,
                "EffectiveCapacityUnits": share,
            }
            for zone in balancer.zones
        ],
    }


def from_zones(zones: tuple[Zone, ...]) -> list[Document]:
    return [{"ZoneName": zone.name, "SubnetId": zone.subnet_id} for zone in zones]


def from_listener(listener: Listener, default_action: Action) -> Document:
    return {
        "ListenerArn": listener.arn,
        "LoadBalancerArn": listener.load_balancer_arn,
        "Port": listener.port,
        "Protocol": listener.protocol,
        **(_from_security(listener) if listener.protocol == "HTTPS" else {}),
        "DefaultActions": [from_action(default_action)],
    }


def _from_security(listener: Listener) -> Document:
    """Return what HTTPS listeners have. Of the certificates only the default one is shown."""
    return {
        "Certificates": [{"CertificateArn": listener.certificates[0]}],
        "SslPolicy": listener.ssl_policy,
        "MutualAuthentication": _from_mutual_authentication(listener.mutual_authentication),
    }


def _from_mutual_authentication(settings: MutualAuthentication) -> Document:
    if settings.mode != "verify":
        return {"Mode": settings.mode}
    return {
        "Mode": settings.mode,
        "TrustStoreArn": settings.trust_store_arn,
        "IgnoreClientCertificateExpiry": settings.ignore_expiry,
        "TrustStoreAssociationStatus": "active",
        "AdvertiseTrustStoreCaNames": "on" if settings.advertise_ca_names else "off",
    }


def from_rule(rule: Rule) -> Document:
    return {
        "RuleArn": rule.arn,
        "Priority": rule.name,
        "Conditions": [_from_condition(condition) for condition in rule.conditions],
        "Actions": [from_action(rule.action)],
        "IsDefault": rule.is_default,
        "Transforms": [_from_transform(transform) for transform in rule.transforms],
    }


def _from_condition(condition: Condition) -> Document:
    match condition:
        case HostHeader():
            values = _from_values(condition)
            return {"Field": "host-header", **values, "HostHeaderConfig": values}
        case PathPattern():
            values = _from_values(condition)
            return {"Field": "path-pattern", **values, "PathPatternConfig": values}
        case HttpHeader(header_name=name):
            values = _from_values(condition)
            # Outside of the configuration AWS repeats regular expressions, but not values.
            repeated = values if condition.regex_values else {}
            config = {"HttpHeaderName": name, **values}
            return {"Field": "http-header", **repeated, "HttpHeaderConfig": config}
        case HttpRequestMethod(values=methods):
            config = {"Values": list(methods)}
            return {"Field": "http-request-method", "HttpRequestMethodConfig": config}
        case QueryString(values=parameters):
            config = {"Values": [_from_parameter(one) for one in parameters]}
            return {"Field": "query-string", "QueryStringConfig": config}
        case SourceIp(values=blocks):
            return {"Field": "source-ip", "SourceIpConfig": {"Values": list(blocks)}}
        case _:
            assert_never(condition)


def _from_values(condition: HostHeader | PathPattern | HttpHeader) -> Document:
    if condition.regex_values:
        return {"RegexValues": list(condition.regex_values)}
    return {"Values": list(condition.values)}


def _from_parameter(parameter: QueryParameter) -> Document:
    key = {} if parameter.key is None else {"Key": parameter.key}
    return {**key, "Value": parameter.value}


def _from_transform(transform: Transform) -> Document:
    rewrites = {"Rewrites": [{"Regex": transform.regex, "Replace": transform.replace}]}
    match transform:
        case HostHeaderRewrite():
            return {"Type": "host-header-rewrite", "HostHeaderRewriteConfig": rewrites}
        case UrlRewrite():
            return {"Type": "url-rewrite", "UrlRewriteConfig": rewrites}
        case _:
            assert_never(transform)


def from_action(action: Action) -> Document:
    match action:
        case Forward():
            document = _from_forward(action)
        case Redirect():
            document = {
                "Type": "redirect",
                "RedirectConfig": {
                    "Protocol": action.protocol,
                    "Port": action.port,
                    "Host": action.host,
                    "Path": action.path,
                    "Query": action.query,
                    "StatusCode": f"HTTP_{action.status_code}",
                },
            }
        case FixedResponse():
            config = {
                "MessageBody": action.message_body,
                "StatusCode": str(action.status_code),
                "ContentType": action.content_type,
            }
            document = {
                "Type": "fixed-response",
                "FixedResponseConfig": {k: v for k, v in config.items() if v is not None},
            }
        case _:
            assert_never(action)
    return document | ({} if action.order is None else {"Order": action.order})


def _from_forward(action: Forward) -> Document:
    groups = action.target_groups
    short = {"TargetGroupArn": groups[0].arn} if len(groups) == 1 else {}
    seconds = {} if action.stickiness_s is None else {"DurationSeconds": action.stickiness_s}
    return {
        "Type": "forward",
        **short,
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": group.arn, "Weight": group.weight} for group in groups
            ],
            "TargetGroupStickinessConfig": {"Enabled": action.is_sticky, **seconds},
        },
    }


def from_target_group(group: TargetGroup) -> Document:
    """Return the document of CreateTargetGroup; DescribeTargetGroups adds `LoadBalancerArns`."""
    return {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        **_present(Protocol=group.protocol, Port=group.port, VpcId=group.vpc_id),
        **_from_health_check(group.health_check),
        "TargetType": group.target_type,
        **_present(ProtocolVersion=group.protocol_version),
        "IpAddressType": group.ip_address_type,
    }


def from_trust_store(store: TrustStore) -> Document:
    return {
        "Name": store.name,
        "TrustStoreArn": store.arn,
        "Status": "ACTIVE",
        "NumberOfCaCertificates": len(store.subjects),
        "TotalRevokedEntries": sum(one.entries for one in store.revocations),
    }


def from_revocation(store: TrustStore, one: RevocationList) -> Document:
    return {
        "TrustStoreArn": store.arn,
        "RevocationId": one.id,
        "RevocationType": one.type,
        "NumberOfRevokedEntries": one.entries,
    }


def from_target_health(health: TargetHealth) -> Document:
    members = {"State": health.state, "Reason": health.reason, "Description": health.description}
    return {name: value for name, value in members.items() if value is not None}


def _from_health_check(check: HealthCheck) -> Document:
    grpc = check.grpc_codes is not None
    return {
        **_present(HealthCheckProtocol=check.protocol, HealthCheckPort=check.port),
        "HealthCheckEnabled": check.enabled,
        "HealthCheckIntervalSeconds": check.interval_s,
        "HealthCheckTimeoutSeconds": check.timeout_s,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "HealthCheckPath": check.path,
        "Matcher": {"GrpcCode": check.grpc_codes} if grpc else {"HttpCode": check.http_codes},
    }


def _present(**members: str | int | None) -> Document:
    return {name: value for name, value in members.items() if value is not None}
