import pytest

from albatross.model import attributes


def as_dict(answer):
    return {each["Key"]: each["Value"] for each in answer["Attributes"]}


def pairs(values):
    return [{"Key": key, "Value": value} for key, value in values.items()]


@pytest.fixture
def balancer(make_balancer):
    return make_balancer()


@pytest.fixture
def modify(elb, balancer):
    def modify(values):
        return as_dict(
            elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=pairs(values))
        )

    return modify


@pytest.fixture
def describe(elb, balancer):
    return lambda: as_dict(elb.describe_load_balancer_attributes(LoadBalancerArn=balancer))


def test_a_new_load_balancer_has_the_defaults(describe):
    assert describe() == {key: each.default for key, each in attributes.LOAD_BALANCER.items()}


def test_an_internal_load_balancer_denies_the_internet_gateway(elb, make_balancer):
    arn = make_balancer("internal", Scheme="internal")
    found = as_dict(elb.describe_load_balancer_attributes(LoadBalancerArn=arn))
    assert found["ipv6.deny_all_igw_traffic"] == "true"


def test_what_is_set_is_kept_and_the_answer_has_all(describe, modify):
    answer = modify({"idle_timeout.timeout_seconds": "30", "routing.http2.enabled": "false"})
    assert answer["idle_timeout.timeout_seconds"] == "30"
    assert modify({"client_keep_alive.seconds": "60"})["routing.http2.enabled"] == "false"
    assert describe()["idle_timeout.timeout_seconds"] == "30"
    assert len(describe()) == len(attributes.LOAD_BALANCER)


@pytest.mark.parametrize(
    ("values", "code", "message"),
    [
        pytest.param(
            {"idle_timeout.seconds": "30"},
            "ValidationError",
            "Load balancer attribute key 'idle_timeout.seconds' is not recognized",
            id="unknown key",
        ),
        pytest.param(
            {"idle_timeout.timeout_seconds": "4001"},
            "ValidationError",
            "'idle_timeout.timeout_seconds' value '4001' must be between '1-4000' inclusive",
            id="number too high",
        ),
        pytest.param(
            {"routing.http2.enabled": "yes"},
            "ValidationError",
            "'routing.http2.enabled' value 'yes' must be one of [true, false]",
            id="no boolean",
        ),
        pytest.param(
            {"dns_record.client_routing_policy": "any_availability_zone"},
            "InvalidConfigurationRequest",
            "Load balancer attribute key 'dns_record.client_routing_policy' is not supported on "
            "load balancers with type 'application'",
            id="key of another type",
        ),
        pytest.param(
            {"load_balancing.cross_zone.enabled": "false"},
            "InvalidConfigurationRequest",
            "The value for 'load_balancing.cross_zone.enabled' must always be 'true' "
            "for an Application Load Balancer",
            id="cross-zone",
        ),
        pytest.param(
            {"access_logs.s3.enabled": "true"},
            "InvalidConfigurationRequest",
            "The key 'access_logs.s3.bucket' must set in order to enable access logs",
            id="no bucket",
        ),
        pytest.param(
            {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "../Logs"},
            "InvalidConfigurationRequest",
            "Access Denied for bucket: ../Logs. Please check S3bucket permission",
            id="a name that no bucket has",
        ),
        pytest.param(
            {"connection_logs.s3.enabled": "true", "connection_logs.s3.prefix": "p"},
            "InvalidConfigurationRequest",
            "The key 'connection_logs.s3.bucket' must set in order to enable connection logs",
            id="no bucket for connections",
        ),
        pytest.param(
            {"access_logs.s3.prefix": "a/AWSLogs"},
            "InvalidConfigurationRequest",
            "The value for 'access_logs.s3.prefix' must not contain 'AWSLogs'",
            id="prefix",
        ),
        pytest.param({}, "ValidationError", "An attribute must be specified", id="nothing"),
    ],
)
def test_one_bad_attribute_fails_the_call(describe, modify, refused, values, code, message):
    before = describe()
    good = {"routing.http.drop_invalid_header_fields.enabled": "true"} if values else {}
    assert refused(lambda: modify(good | values)) == (code, message)
    assert describe() == before


def test_a_value_without_a_key_is_refused(elb, refused, balancer):
    assert refused(
        elb.modify_load_balancer_attributes, LoadBalancerArn=balancer, Attributes=[{"Value": "a"}]
    ) == ("ValidationError", "An attribute key must be specified")


def test_logs_are_enabled_with_a_bucket_now_or_before(modify):
    modify({"access_logs.s3.bucket": "logs", "access_logs.s3.prefix": "p"})
    assert modify({"access_logs.s3.enabled": "true"})["access_logs.s3.bucket"] == "logs"
    modify({"health_check_logs.s3.enabled": "true", "health_check_logs.s3.bucket": "logs"})


def test_twenty_attributes_are_the_most(modify, refused):
    keys = list(attributes.LOAD_BALANCER)
    values = {key: attributes.LOAD_BALANCER[key].default for key in keys[:21]}
    code, message = refused(lambda: modify(values))
    assert code == "ValidationError"
    assert message.endswith("Member must have length less than or equal to 20")
    modify(dict(list(values.items())[:20]))


def test_a_key_given_twice_is_refused(elb, refused, balancer):
    twice = pairs({"waf.fail_open.enabled": "true"}) * 2
    assert refused(
        elb.modify_load_balancer_attributes, LoadBalancerArn=balancer, Attributes=twice
    ) == ("ValidationError", "Attribute key 'waf.fail_open.enabled' was specified more than once")


def test_a_lambda_target_group_has_one_attribute(elb, refused, make_group):
    group = make_group()

    def modify(**values):
        return as_dict(
            elb.modify_target_group_attributes(
                TargetGroupArn=group,
                Attributes=pairs({key.replace("__", "."): value for key, value in values.items()}),
            )
        )

    found = as_dict(elb.describe_target_group_attributes(TargetGroupArn=group))
    assert found == {"lambda.multi_value_headers.enabled": "false"}
    assert modify(lambda__multi_value_headers__enabled="true") == {
        "lambda.multi_value_headers.enabled": "true"
    }
    assert refused(lambda: modify(deregistration_delay__timeout_seconds="5")) == (
        "InvalidConfigurationRequest",
        "A target group with target type 'lambda' does not support the attribute "
        "deregistration_delay.timeout_seconds",
    )
    assert refused(lambda: modify(proxy_protocol="1")) == (
        "ValidationError",
        "Target group attribute key 'proxy_protocol' is not recognized",
    )
    assert refused(lambda: modify(lambda__multi_value_headers__enabled="on")) == (
        "ValidationError",
        "'lambda.multi_value_headers.enabled' value 'on' must be one of [true, false]",
    )


def test_a_listener_writes_response_headers(elb, refused, make_listener, balancer):
    listener = make_listener(balancer)

    def modify(values):
        return as_dict(
            elb.modify_listener_attributes(ListenerArn=listener, Attributes=pairs(values))
        )

    found = as_dict(elb.describe_listener_attributes(ListenerArn=listener))
    assert found == {key: each.default for key, each in attributes.HTTP_LISTENER.items()}
    key = "routing.http.response.x_frame_options.header_value"
    assert modify({key: "DENY"})[key] == "DENY"
    assert modify({key: ""})[key] == ""
    assert refused(lambda: modify({key: 'a"b'}))[0] == "ValidationError"
    mutual = "routing.http.request.x_amzn_mtls_clientcert.header_name"
    assert refused(lambda: modify({mutual: "X-Cert"}))[0] == "InvalidConfigurationRequest"
    assert refused(lambda: modify({"tcp.idle_timeout.seconds": "60"})) == (
        "InvalidConfigurationRequest",
        "Listener attribute key 'tcp.idle_timeout.seconds' is not supported on listeners "
        "with protocol 'HTTP'",
    )
