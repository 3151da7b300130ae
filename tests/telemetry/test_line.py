"""One request's record -> its access-log line."""

import re

import pytest

from albatross.host.response import ERROR_STATUS
from albatross.model.request_record import SEPARATOR, Choice, Entrance, Record, parse
from albatross.telemetry.line import conn_trace_id, line
from tests.support.athena import ACCESS_LOG, fields

BALANCER = (
    "arn:aws:elasticloadbalancing:us-east-2:123456789012:loadbalancer/app/my-loadbalancer"
    "/50dc6c495c0c9188"
)
OTHER = BALANCER.replace("my-loadbalancer/50dc6c495c0c9188", "other/0123456789abcdef")
GROUP = (
    "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067"
)
CERTIFICATE = "arn:aws:acm:us-east-2:123456789012:certificate/12345678-1234-1234-1234-123456789012"
TRACE = "Root=1-58337364-23a8c76965a2ef7629b185e3"
HTTP = Entrance(BALANCER, "my-loadbalancer-1.us-east-2.elb.localhost", "http", "80")
HTTPS = HTTP._replace(protocol="https", port="443")


def choice(protocol: str = "http", port: str = "80", **changes: str) -> str:
    usual = Choice(BALANCER, protocol, port, "0", "forward", GROUP)
    return usual._replace(**changes).text()


# A function that answered: AWS's sample.
FUNCTION = Record(
    entrance=HTTP.text(),
    choice=choice(),
    logged_at="2018-11-30T22:23:00.186641Z",
    started_at="2018-11-30T22:22:48.364",
    client="192.168.131.39:2817",
    node="10.0.1.2",
    connection="7",
    target="/run/lambda.sock",
    received_us="100",
    sent_us="80",
    sent_all_us="300",
    answered_us="1400",
    answering_us="1500",
    status="200",
    flags="-",
    details="via_upstream",
    received_bytes="34",
    sent_bytes="366",
    method="GET",
    host="www.example.com",
    path="/",
    version="HTTP/1.1",
    upgrade="-",
    content_type="-",
    classification="-",
    user_agent="curl/7.46.0",
    tls_cipher="-",
    tls_version="-",
    server_name="-",
    certificate="-",
    certificate_names="-",
    trace_id=TRACE,
    location="-",
    error="-",
    original_host="-",
    original_path="-",
    transform_status="-",
)
UNSENT = {
    "target": "-",
    "sent_us": "-",
    "sent_all_us": "-",
    "answered_us": "-",
    "answering_us": "200",
}
# A target that is a server, over TLS.
SERVER = FUNCTION._replace(
    entrance=HTTPS.text(),
    choice=choice("https", "443", priority="2"),
    target="10.0.0.1:80",
    sent_us="86000",
    sent_all_us="86000",
    answered_us="134000",
    answering_us="171000",
    received_bytes="0",
    sent_bytes="57",
    tls_cipher="ECDHE-RSA-AES128-GCM-SHA256",
    tls_version="TLSv1.2",
    server_name="www.example.com",
    certificate=f"{CERTIFICATE}#0123456789abcdef",
    certificate_names="example.com,*.Example.com",
)
MALFORMED = FUNCTION._replace(
    choice="-",
    **UNSENT,
    status="400",
    flags="DPE",
    details="http1.codec_error",
    sent_bytes="272",
    method="-",
    host="-",
    path="-",
    user_agent="-",
    trace_id="-",
)


def own(status: str, details: str, **changes: str) -> Record:
    """What the load balancer answered by itself."""
    return FUNCTION._replace(**UNSENT | {"status": status, "details": details} | changes)


def host_error(status: str, reason: str) -> Record:
    """What the Lambda host answered in place of a function."""
    return FUNCTION._replace(status=status, error=reason)


TID = conn_trace_id(FUNCTION.client, FUNCTION.connection)
HEAD = "http 2018-11-30T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817"
REQUEST = '"GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0"'
CREATED = "2018-11-30T22:22:48.364000Z"
TAIL = f'{TID} "-" "-" "-" 10.0.1.2'


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            FUNCTION,
            f"{HEAD} - 0.000 0.001 0.000 200 200 34 366 {REQUEST} - - {GROUP} "
            f'"{TRACE}" "-" "-" 0 {CREATED} "forward" "-" "-" "-" "-" "-" "-" {TAIL}',
            id="a function succeeded",
        ),
        pytest.param(
            host_error("502", "LambdaInvalidResponse"),
            f"{HEAD} - 0.000 0.001 -1 502 - 34 366 {REQUEST} - - {GROUP} "
            f'"{TRACE}" "-" "-" 0 {CREATED} "forward" "-" "LambdaInvalidResponse" '
            f'"-" "-" "-" "-" {TAIL}',
            id="a function failed",
        ),
        pytest.param(
            SERVER,
            "https 2018-11-30T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 "
            "192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "
            '"GET https://www.example.com:443/ HTTP/1.1" "curl/7.46.0" '
            f'ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {GROUP} "{TRACE}" "www.example.com" '
            f'"{CERTIFICATE}" 2 {CREATED} "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" {TAIL}',
            id="a server over TLS",
        ),
        pytest.param(
            own(
                "404",
                "direct_response",
                choice=choice(priority="5", actions="fixed-response", target_group="-"),
            ),
            f"{HEAD} - -1 -1 -1 404 - 34 366 {REQUEST} - - - "
            f'"{TRACE}" "-" "-" 5 {CREATED} "fixed-response" "-" "-" "-" "-" "-" "-" {TAIL}',
            id="a fixed response",
        ),
        pytest.param(
            own(
                "301",
                "lua_response",
                location="https://h:443/x",
                choice=choice(priority="1", actions="redirect", target_group="-"),
            ),
            f"{HEAD} - -1 -1 -1 301 - 34 366 {REQUEST} - - - "
            f'"{TRACE}" "-" "-" 1 {CREATED} "redirect" "https://h:443/x" '
            f'"-" "-" "-" "-" "-" {TAIL}',
            id="a redirect",
        ),
        pytest.param(
            MALFORMED,
            f"{HEAD} - -1 -1 -1 400 - 0 272 "
            '"- http://my-loadbalancer-1.us-east-2.elb.localhost:80- -" "-" - - - '
            f'"-" "-" "-" - {CREATED} "-" "-" "-" "-" "-" "-" "-" {TAIL}',
            id="no HTTP at all, as live logs show it",
        ),
    ],
)
def test_a_line_is_the_specimen(record, expected):
    assert line(record) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            FUNCTION._replace(version="HTTP/2"),
            {"type": "h2", "request_proto": "HTTP/2.0"},
            id="HTTP/2",
        ),
        pytest.param(
            FUNCTION._replace(version="HTTP/2", content_type="application/grpc+proto"),
            {"type": "grpcs"},
            id="gRPC",
        ),
        pytest.param(
            FUNCTION._replace(upgrade="WebSocket", status="101"), {"type": "ws"}, id="WebSocket"
        ),
        pytest.param(
            SERVER._replace(upgrade="websocket", status="101"),
            {"type": "wss", "elb_status_code": "101", "target_status_code": "101"},
            id="WebSocket over TLS",
        ),
        pytest.param(
            SERVER._replace(upgrade="websocket"), {"type": "https"}, id="WebSocket not switched to"
        ),
        pytest.param(
            FUNCTION._replace(client="[2001:db8::1]:4444"),
            {"client_ip": "[2001:db8::1]", "client_port": "4444"},
            id="an IPv6 client",
        ),
        pytest.param(
            FUNCTION._replace(status="0", details="downstream_remote_disconnect", flags="DC"),
            {"elb_status_code": "460", "target_status_code": "-"}
            | {"target_processing_time": "-1", "response_processing_time": "-1"},
            id="the client went away while it waited",
        ),
        pytest.param(
            own("0", "downstream_remote_disconnect", received_us="-"),
            {"elb_status_code": "400", "request_processing_time": "-1"},
            id="the client went away within its request",
        ),
        pytest.param(
            own("413", "request_too_large", error="LambdaRequestTooLarge"),
            {"elb_status_code": "413", "lambda_error_reason": "LambdaRequestTooLarge"}
            | {"request_processing_time": "-1", "target_group_arn": GROUP}
            | {"actions_executed": "forward"},
            id="a body too large for a function",
        ),
        pytest.param(
            own("400", "lua_response", error="LambdaWebsocketNotSupported"),
            {"lambda_error_reason": "LambdaWebsocketNotSupported", "actions_executed": "forward"},
            id="a WebSocket for a function",
        ),
        pytest.param(
            FUNCTION._replace(error="AWSALBTGCookieInvalid"),
            {"lambda_error_reason": "AWSALBTGCookieInvalid", "elb_status_code": FUNCTION.status}
            | {"target_status_code": FUNCTION.status},
            id="a URL-encoded cookie for a target group",
        ),
        pytest.param(
            own("414", "lua_response", choice=choice("https", "8443", load_balancer=OTHER)),
            {"elb": "app/other/0123456789abcdef", "matched_rule_priority": "-"}
            | {"request_url": "https://www.example.com:8443/", "target_group_arn": "-"},
            id="refused before any rule of another load balancer on the socket",
        ),
        pytest.param(
            own("463", "lua_response"),
            {"matched_rule_priority": "-", "actions_executed": "-", "target_group_arn": "-"}
            | {"elb_status_code": "463", "request_verb": "GET"},
            id="refused before any rule",
        ),
        pytest.param(
            own("507", "lua_response", choice=choice(actions="redirect", target_group="-")),
            {"matched_rule_priority": "0", "actions_executed": "redirect", "redirect_url": "-"},
            id="a redirect too long",
        ),
        pytest.param(
            host_error("503", "none"),
            {"request_processing_time": "-1", "target_processing_time": "-1"}
            | {"response_processing_time": "-1", "target_status_code": "-"}
            | {"lambda_error_reason": "-", "target_group_arn": GROUP},
            id="a target group without a target",
        ),
        pytest.param(
            host_error("504", "none"),
            {"request_processing_time": "0.000", "target_processing_time": "-1"}
            | {"response_processing_time": "-1", "target_status_code": "-"},
            id="a function slower than the idle timeout",
        ),
        pytest.param(
            SERVER._replace(
                status="502", flags="UF", details="upstream_reset_before_response_started"
            )._replace(answered_us="-"),
            {"request_processing_time": "-1", "target_processing_time": "-1"}
            | {"target_ip": "10.0.0.1", "target_status_code": "-"},
            id="a target that cannot be reached",
        ),
        pytest.param(
            SERVER._replace(status="502", flags="UC", details="x", answered_us="-"),
            {"request_processing_time": "0.086", "target_processing_time": "-1"}
            | {"response_processing_time": "-1", "target_status_code_list": "-"},
            id="a target that closes",
        ),
        pytest.param(
            SERVER._replace(status="404"),
            {"elb_status_code": "404", "target_status_code": "404"}
            | {"target_status_code_list": "404"},
            id="a target's own error",
        ),
        pytest.param(
            FUNCTION._replace(status="404"),
            {"elb_status_code": "404", "target_status_code": "404", "lambda_error_reason": "-"},
            id="a function's own error",
        ),
        pytest.param(
            FUNCTION._replace(location="https://elsewhere/"),
            {"redirect_url": "-"},
            id="a target's own redirect",
        ),
        pytest.param(
            FUNCTION._replace(host="example.com:8080", choice=choice(port="8081")),
            {"request_url": "http://example.com:8081/"},
            id="the port is the listener's",
        ),
        pytest.param(
            FUNCTION._replace(host="[::1]:8080", path="/a?b=%20&c"),
            {"request_url": "http://[::1]:80/a?b=%20&c"},
            id="the URL is as it was sent",
        ),
        pytest.param(
            SERVER._replace(server_name="invalid:a_b"),
            {"domain_name": "-"},
            id="a server name that is none",
        ),
        *(
            pytest.param(
                SERVER._replace(server_name=asked, certificate_names=names),
                {"domain_name": logged, "chosen_cert_arn": CERTIFICATE},
                id=f"the default certificate for {names} shown to who asks for {asked}",
            )
            for asked, names, logged in (
                ("www.example.com", "www.example.com", "www.example.com"),
                ("WWW.example.com", "a.b,Www.Example.com", "WWW.example.com"),
                ("www.example.com", "*.example.com", "www.example.com"),
                ("a.b.example.com", "*.example.com", "-"),
                ("example.com", "*.example.com", "-"),
                ("other.com", "www.example.com,*.example.com", "-"),
                ("localhost", "localhost", "localhost"),
                ("-", "www.example.com", "-"),
                ("www.example.com", "-", "www.example.com"),
            )
        ),
        pytest.param(
            MALFORMED._replace(details="http1.content_length_and_chunked_not_allowed"),
            {"classification": "Ambiguous", "classification_reason": "BothTeClPresent"},
            id="a length beside chunks",
        ),
        pytest.param(
            MALFORMED._replace(status="501", details="http1.invalid_transfer_encoding"),
            {"classification": "Severe", "classification_reason": "BadTransferEncoding"},
            id="another coding than chunked",
        ),
        *(
            pytest.param(
                SERVER._replace(details=details, status=status),
                {
                    "elb_status_code": status,
                    "target_status_code": status,
                    "target_status_code_list": status,
                    "target_processing_time": "0.048",
                    "response_processing_time": "0.037",
                },
                id=f"{status}, {ended} while it was handed on",
            )
            for status, details, ended in (
                ("101", "downstream_remote_disconnect", "closed by the client"),
                ("101", "upstream_reset_after_response_started{remote_reset}", "by the target"),
                ("200", "downstream_remote_disconnect", "closed by the client"),
                ("200", "stream_idle_timeout", "silent for the idle timeout"),
            )
        ),
        pytest.param(
            FUNCTION._replace(status="504"),
            {"target_status_code": "504", "target_processing_time": "0.001"},
            id="a function's own 504",
        ),
        pytest.param(
            MALFORMED,
            {"classification": "-", "classification_reason": "-"},
            id="what is malformed in a way that the proxy does not tell",
        ),
        pytest.param(
            FUNCTION._replace(classification="Ambiguous UndefinedContentLengthSemantics"),
            {"classification": "Ambiguous"}
            | {"classification_reason": "UndefinedContentLengthSemantics"},
            id="GET with a body",
        ),
        pytest.param(
            FUNCTION._replace(classification="Acceptable GetHeadZeroContentLength"),
            {"classification": "Acceptable", "classification_reason": "GetHeadZeroContentLength"},
            id="HEAD with an empty body",
        ),
        pytest.param(
            FUNCTION,
            {"classification": "-", "classification_reason": "-"},
            id="a compliant request",
        ),
    ],
)
def test_fields(record, expected):
    found = fields(line(record))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "written"),
    [
        pytest.param('a "b" c', r"a \x22b\x22 c", id="quotes"),
        pytest.param("a\\x22", r"a\x5Cx22", id="a backslash"),
        pytest.param("tab\there", r"tab\x09here", id="a tab"),
        pytest.param("caf\xc3\xa9", r"caf\xC3\xA9", id="UTF-8"),
        pytest.param("bad\xff", r"bad\xFF", id="no UTF-8"),
        pytest.param("u" * 9000, "u" * 8192, id="8 KB at most"),
        pytest.param("", "-", id="an empty header"),
    ],
)
def test_a_user_agent_cannot_break_the_line(given, written):
    assert fields(line(FUNCTION._replace(user_agent=given)))["user_agent"] == written


REWRITTEN = FUNCTION._replace(path="/new", transform_status="TransformSuccess")


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        pytest.param(
            REWRITTEN._replace(
                host="new.example.com", original_host="www.example.com", original_path="/old?a=1"
            ),
            '"new.example.com" "/new" "TransformSuccess"',
            id="host and path",
        ),
        pytest.param(
            REWRITTEN._replace(original_host="www.example.com", original_path="/old?a=1"),
            '"-" "/new" "TransformSuccess"',
            id="the path alone",
        ),
        pytest.param(
            FUNCTION._replace(original_path="/old?a=1", transform_status="TransformReplaceError"),
            '"-" "-" "TransformReplaceError"',
            id="a transform that failed",
        ),
    ],
)
def test_transforms_are_shown_and_the_request_line_is_the_clients(record, shown):
    assert fields(line(record))["request_url"] == "http://www.example.com:80/old?a=1"
    assert line(record).endswith(f"{TID} {shown} 10.0.1.2")


def test_a_request_for_no_target_has_a_trace_id_too():
    record = own("200", "direct_response", trace_id="-", choice=choice(actions="fixed-response"))
    trace = fields(line(record))["trace_id"]
    assert re.fullmatch(r"Root=1-5c01b838-[0-9a-f]{24}", trace)  # of 2018-11-30T22:22:48Z
    assert line(record) == line(record)


def test_requests_of_one_connection_have_its_trace_id():
    other = FUNCTION._replace(client="192.168.131.39:2818")
    assert TID in line(FUNCTION._replace(path="/other"))
    assert TID not in line(other)
    assert re.fullmatch("TID_[0-9a-f]{32}", TID)


@pytest.mark.parametrize("reason", sorted(ERROR_STATUS))
def test_every_reason_of_a_function_is_logged(reason):
    found = fields(line(host_error(str(ERROR_STATUS[reason]), reason)))
    assert found["lambda_error_reason"] == reason
    assert found["target_status_code"] == "-"
    assert found["response_processing_time"] == "-1"


SPECIMENS = (
    "http 2018-11-30T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 - "
    '0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - '
    f'{GROUP} "{TRACE}" "-" "-" 0 2018-11-30T22:22:48.364000Z "forward" "-" "-" "-" "-" "-" "-" '
    'TID_1234abcd5678ef90 "-" "-" "-"',
    "http 2018-11-30T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 - "
    '0.000 0.001 0.000 502 - 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - '
    f'{GROUP} "{TRACE}" "-" "-" 0 2018-11-30T22:22:48.364000Z "forward" "-" '
    '"LambdaInvalidResponse" "-" "-" "-" "-" TID_1234abcd5678ef90 "-" "-" "-"',
)


@pytest.mark.parametrize("specimen", SPECIMENS)
def test_the_expression_of_athena_reads_aws_samples(specimen):
    assert ACCESS_LOG.fullmatch(specimen)
    assert fields(specimen)["type"] == "http"


def test_a_record_is_read_as_it_was_written():
    text = SEPARATOR.join(FUNCTION)
    assert parse(text) == FUNCTION
    assert parse(text + SEPARATOR) is None
    assert parse("half a li") is None
