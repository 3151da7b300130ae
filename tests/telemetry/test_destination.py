"""Where log files go."""

from datetime import UTC, datetime

import pytest

from albatross.telemetry import destination
from albatross.telemetry.destination import Destination
from tests.support.envoy import Balancer

END = datetime(2018, 12, 20, 3, 5, tzinfo=UTC)
ARN = "arn:aws:elasticloadbalancing:us-east-2:123456789012:loadbalancer/app/my-lb/50dc6c495c0c9188"
NAME = (
    "123456789012_elasticloadbalancing_us-east-2_app.my-lb.50dc6c495c0c9188_20181220T0305Z_"
    "172.160.1.192_20sg8hgm.log.gz"
)


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        pytest.param("", "logs", id="no prefix"),
        pytest.param("web", "logs/web", id="a prefix"),
        pytest.param("/web//blue/", "logs/web/blue", id="slashes"),
        pytest.param("../../etc", "logs/etc", id="a prefix that would lead out"),
    ],
)
def test_a_file_has_the_name_of_awss_object(prefix, folder):
    to = Destination(ARN, "logs", prefix)
    path = to.log_file(END, "172.160.1.192", "20sg8hgm").as_posix()
    assert path == (
        f"{folder}/AWSLogs/123456789012/elasticloadbalancing/us-east-2/2018/12/20/{NAME}"
    )
    assert to.test_file.as_posix() == f"{folder}/AWSLogs/123456789012/ELBAccessLogTestFile"


@pytest.mark.parametrize(
    ("attributes", "bucket"),
    [
        pytest.param({}, None, id="by default off"),
        pytest.param({"access_logs.s3.bucket": "b"}, None, id="off"),
        pytest.param(
            {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "b"}, "b", id="on"
        ),
        pytest.param({"access_logs.s3.enabled": "true"}, None, id="no bucket"),
        pytest.param(
            {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": ".."}, None, id="above"
        ),
        pytest.param(
            {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "/etc"}, None, id="a path"
        ),
    ],
)
def test_a_load_balancer_has_a_destination_when_its_log_is_on(attributes, bucket):
    balancer, _, _ = Balancer(attributes=attributes).resources(0)
    found = destination.of(balancer)
    assert (found.bucket if found else None) == bucket
