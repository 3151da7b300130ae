"""Where instances are: the configuration's table, and an EC2 API that moto serves."""

import asyncio

import boto3
import pytest

from albatross.config import Config
from albatross.control.instances import addresses_of
from albatross.model.arn import Scope

HERE = Scope("123456789012", "us-east-1")


def found(config: Config, *ids: str) -> dict[str, str]:
    return dict(asyncio.run(addresses_of(ids, config, HERE)))


def test_the_configuration_says_where_an_instance_is() -> None:
    config = Config(instances={"i-01": "127.0.0.2"})
    assert found(config, "i-01", "i-02") == {"i-01": "127.0.0.2"}


def test_an_ec2_api_is_asked_for_the_others_and_knows_those_that_run(endpoint: str) -> None:
    ec2 = boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name=HERE.region,
        aws_access_key_id=HERE.account,
        aws_secret_access_key="none",
    )
    made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=2, MaxCount=2)["Instances"]
    running, stopped = made
    ec2.stop_instances(InstanceIds=[stopped["InstanceId"]])
    config = Config(instances={"i-01": "127.0.0.2"}, ec2_endpoint=endpoint)
    assert found(config, "i-01", running["InstanceId"], stopped["InstanceId"], "i-0abc") == {
        "i-01": "127.0.0.2",
        running["InstanceId"]: running["PrivateIpAddress"],
    }


def test_an_ec2_api_that_is_away_knows_no_instance(caplog: pytest.LogCaptureFixture) -> None:
    assert found(Config(ec2_endpoint="http://127.0.0.1:1"), "i-01") == {}
    assert "http://127.0.0.1:1 does not say where instances are" in caplog.text
