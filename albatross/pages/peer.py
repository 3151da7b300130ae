"""What the test suite of another server of this API would see differ here, for docs/coverage.md.

Moto is the peer: its `tests/test_elbv2` were run against this server, with Moto's own EC2, and each
failure was looked into. Its tests stay where they are: this is what came of it.
"""

SUITE = "Moto 5.2.5, `tests/test_elbv2`"
AS_EXPECTED = 72
# One test waits for instances of EC2 to run a web server, as no peer can.
NOT_RUN = 1

# How many tests, what they expect, and why it is otherwise here.
DIFFERENCES: tuple[tuple[int, str, str], ...] = (
    (
        41,
        "Network and Gateway Load Balancers, their target groups, protocols and attributes",
        "They are refused: this is an Application Load Balancer.",
    ),
    (
        9,
        "Listeners without a default action",
        "Refused. `DefaultActions` is required, and AWS takes no empty list of them.",
    ),
    (6, "Rules without a condition", "Refused, as the API reference asks for one."),
    (
        6,
        "A condition is answered in the form in which it was given",
        "It is answered in both forms, `Values` and `...Config`, as in the AWS CLI's examples.",
    ),
    (
        6,
        "Older lists of valid values, and values that AWS's model does not have",
        "What is valid, and the message, follow botocore's current model of the API.",
    ),
    (5, "Resources made by CloudFormation", "CloudFormation is still to come."),
    (
        5,
        "`must be one of 'HTTP, HTTPS'`",
        "`'HTTPS, HTTP'`, the order in most messages of AWS that users have published.",
    ),
    (
        4,
        "A load balancer in one subnet",
        "Refused: an Application Load Balancer is in two zones or more.",
    ),
    (
        4,
        "Actions with Cognito and OpenID Connect, two of them with a value that AWS does not know",
        "Authentication is still to come.",
    ),
    (
        4,
        "A forward action is answered in the form in which it was given",
        "It is answered with `TargetGroupArn`, `ForwardConfig`, weight and stickiness, as by AWS.",
    ),
    (
        4,
        "Names of target groups: a pattern in the message, and no two hyphens in a row",
        "Two hyphens are valid by the API reference; the message says what is wrong in words.",
    ),
    (
        4,
        "The message for an unknown `stickiness.type` lists `source_ip`",
        "It lists what target groups of HTTP have. `source_ip` itself is refused with AWS's words.",
    ),
    (
        3,
        "`ListenerNotFound` or `RuleNotFound` for a text that is no ARN",
        "`ValidationError`, `'...' is not a valid listener ARN`, as AWS answers.",
    ),
    (
        2,
        "`HealthCheckPort` of a target is `traffic-port`",
        "It is the port that is checked, as in the AWS CLI's examples.",
    ),
    (
        2,
        "`load_balancing.cross_zone.enabled` is `false` or may be",
        "It is always `true` for an Application Load Balancer.",
    ),
    (1, "DNS names end with `elb.amazonaws.com`", "They end with `elb.localhost`."),
    (1, "`TooManyTags` for an eleventh tag", "A resource may have 50, AWS's quota by now."),
    (1, "More than 50 load balancers", "50 is the quota; the setting `quotas` raises it."),
    (
        1,
        "A target is deregistered without the port that it was registered with",
        "It stays: the API reference asks for the port where it is not that of the target group.",
    ),
    (
        1,
        "The first of the security policies is `ELBSecurityPolicy-TLS-1-2-2017-01`",
        "It is `ELBSecurityPolicy-2016-08`, as in the AWS CLI's examples.",
    ),
    (
        1,
        "`InvalidConfigurationRequest` for HTTPS with no certificate",
        "The same message with `ValidationError`, the code that users of AWS report.",
    ),
    (
        1,
        "Stickiness of an action without `DurationSeconds`",
        "Refused, as the API reference says.",
    ),
    (1, "A redirect to a path that does not begin with a slash", "Refused, as by AWS."),
    (
        1,
        "`CapacityReservationState` where no capacity was reserved",
        "It is there once capacity has been reserved.",
    ),
    (
        1,
        "A target group of servers has seven attributes",
        "It has all that the user guide lists by now.",
    ),
    (
        1,
        "Two listeners on one port of a load balancer",
        "`DuplicateListener`, as by AWS.",
    ),
    (
        1,
        "`TargetGroupNotFound` for the target groups of a load balancer that has none",
        "An empty list: the API reference knows that error for groups that were asked for.",
    ),
    (
        1,
        "`The target group ... is currently in use`",
        "`Target group ... is currently in use by a listener or a rule`, AWS's words.",
    ),
)


def section() -> str:
    """Return the part of the page in Markdown."""
    count = sum(number for number, _, _ in DIFFERENCES)
    rows = [f"| {number} | {what} | {why} |" for number, what, why in DIFFERENCES]
    return "\n".join(
        [
            "# What a peer's suite would see differ",
            "",
            f"{SUITE}, run against Albatross: {AS_EXPECTED} tests see what they expect, {count} do",
            f"not, {NOT_RUN} needs instances that run. Each difference, by the number of tests:",
            "",
            "| tests | expected there | here |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )
