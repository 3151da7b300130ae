"""A server with `--auth`, and the clients that people have: boto3, the aws command, curl's way."""

import json
import os
import sys
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.aws_command import aws
from tests.support.command import Server, get, place, serving, zipped

ALICE = ("AKIAALICE", "secret/+of=alice", None)
CAROL = ("ASIACAROL", "of-carol", "token-of-carol")
FILE = """
[alice]
aws_access_key_id = AKIAALICE
aws_secret_access_key = secret/+of=alice
aws_account_id = 111111111111
region = eu-west-1
endpoint_url = {url}

[bob]
aws_access_key_id = 222222222222
aws_secret_access_key = of-bob

[carol]
aws_access_key_id = ASIACAROL
aws_secret_access_key = of-carol
aws_session_token = token-of-carol
"""
CALLS = {
    "acm": ("list_certificates", "CertificateSummaryList"),
    "elbv2": ("describe_load_balancers", "LoadBalancers"),
    "lambda": ("list_functions", "Functions"),
    "sts": ("get_caller_identity", "Account"),
}


@pytest.fixture(scope="module")
def server():
    with place() as where:
        keys = where.folder / "keys"
        keys.write_text(FILE.format(url="http://127.0.0.1:1"))
        keys.chmod(0o600)
        with serving(where, "--auth", "keys") as server:
            keys.write_text(FILE.format(url=server.url))
            yield server


def client(server: Server, service: str, key=ALICE, **options):
    id_, secret, token = key
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id=id_,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


def fetch(url, method="GET"):
    """Return status and body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("key", [pytest.param(ALICE, id="key"), pytest.param(CAROL, id="session")])
def test_boto3_is_let_in_with_a_key_of_the_file(server, service, key):
    operation, member = CALLS[service]
    assert member in getattr(client(server, service, key), operation)()


@pytest.mark.parametrize(
    ("key", "query_code", "json_code"),
    [
        pytest.param(
            ("AKIANOBODY", "x", None),
            *("InvalidClientTokenId", "UnrecognizedClientException"),
            id="unknown key",
        ),
        pytest.param(
            ("AKIAALICE", "x", None),
            *("SignatureDoesNotMatch", "InvalidSignatureException"),
            id="wrong secret",
        ),
        pytest.param(
            ("ASIACAROL", "of-carol", "token-of-bob"),
            *("InvalidClientTokenId", "UnrecognizedClientException"),
            id="wrong token",
        ),
    ],
)
@pytest.mark.parametrize("service", CALLS)
def test_boto3_sees_the_errors_of_aws(server, service, key, query_code, json_code):
    with pytest.raises(ClientError) as raised:
        getattr(client(server, service, key), CALLS[service][0])()
    answer = raised.value.response
    is_query = service in ("elbv2", "sts")
    assert answer["Error"]["Code"] == (query_code if is_query else json_code)
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    assert status == (400 if service == "acm" else 403)


def test_the_account_is_that_of_the_key(server):
    identity = {
        key[0]: client(server, "sts", key).get_caller_identity()["Account"]
        for key in (ALICE, CAROL, ("222222222222", "of-bob", None))
    }
    assert identity == {
        "AKIAALICE": "111111111111",
        "ASIACAROL": "123456789012",
        "222222222222": "222222222222",
    }


def test_a_function_is_called_by_its_arn_and_with_binary_bodies(server):
    functions = client(server, "lambda")
    noise = os.urandom(100_000).hex()
    arn = functions.create_function(
        FunctionName="echo",
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Role="arn:aws:iam::111111111111:role/any",
        Code={"ZipFile": zipped(f"def handler(event, _): return event  # {noise}")},
        Tags={"a b": "c/d+é"},
    )["FunctionArn"]
    assert functions.list_tags(Resource=arn)["Tags"] == {"a b": "c/d+é"}
    functions.untag_resource(Resource=arn, TagKeys=["a b", "x+y=/z"])
    answer = functions.invoke(FunctionName=arn, Payload='{"a": "é"}', ClientContext="e30=")
    assert json.load(answer["Payload"]) == {"a": "é"}
    assert functions.get_function(FunctionName=f"{arn}:$LATEST")["Configuration"]


def test_a_presigned_url_works_without_a_key(server):
    url = client(server, "sts").generate_presigned_url("get_caller_identity", ExpiresIn=60)
    status, body = fetch(url, "POST")
    assert (status, "<Account>111111111111</Account>" in body) == (200, True)
    assert fetch(url)[0] == 403
    url = client(server, "elbv2").generate_presigned_url(
        "describe_load_balancers", {"Names": ["a b+c"]}, 60, "GET"
    )
    assert "<Code>LoadBalancerNotFound</Code>" in fetch(url)[1]
    assert "<Code>SignatureDoesNotMatch</Code>" in fetch(url.replace("a%20b", "a%20x"))[1]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("acm list-certificates", id="acm"),
        pytest.param("elbv2 describe-target-groups", id="elbv2"),
        pytest.param("lambda list-functions --max-items 1", id="lambda"),
        pytest.param("sts get-caller-identity", id="sts"),
    ],
)
def test_the_aws_command_reads_the_same_file(server, command):
    """Key, Region and endpoint are all in the profile."""
    keys = {"AWS_SHARED_CREDENTIALS_FILE": str(server.place.folder / "keys")}
    arguments = [*command.split(), "--profile", "alice", "--output", "json"]
    status, out, err = aws(*arguments, **keys)
    assert status == 0, err
    assert json.loads(out)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        pytest.param("/_albatross/health", 200, '"ready":true', id="health is open"),
        pytest.param("/_albatross/status", 403, "MissingAuthenticationToken: ", id="status"),
        pytest.param("/_albatross/ca", 403, "MissingAuthenticationToken: ", id="authority"),
        pytest.param("/_albatross/", 404, "GET /_albatross/health", id="nothing there"),
        pytest.param("/", 403, "<Code>MissingAuthenticationToken</Code>", id="Query API"),
        pytest.param(
            "/2015-03-31/functions/", 403, "Request is missing Authentication", id="REST API"
        ),
    ],
)
def test_what_an_unsigned_request_gets(server, path, status, text):
    found, body = get(server.port, path)
    assert found == status
    assert text in body


def test_who_is_not_known_is_told_so_before_the_body_counts(server):
    """Else it would be 413, after 10 MB of memory a call."""
    elb = client(server, "elbv2", ("AKIANOBODY", "x", None), parameter_validation=False)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        elb.describe_load_balancers(Names=["x" * 11 * 1024 * 1024])
    elb = client(server, "elbv2", parameter_validation=False)
    with pytest.raises(ClientError, match="RequestEntityTooLarge"):
        elb.describe_load_balancers(Names=["x" * 11 * 1024 * 1024])


def test_reset_needs_a_signature(server):
    assert fetch(f"{server.url}/_albatross/reset", "POST")[0] == 403


def test_our_own_command_signs_with_the_keys_of_the_aws_command(server):
    variables = server.place.variables
    variables.update({"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"})
    variables["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null"
    done = server.place.call("status", "--endpoint", server.url)
    assert done.returncode == 1
    assert "takes signed requests only, and there is no access key" in done.stderr
    variables.update({"AWS_SHARED_CREDENTIALS_FILE": "keys", "AWS_PROFILE": "carol"})
    done = server.place.call("status", "--endpoint", server.url)
    assert done.returncode == 0, done.stderr
    assert f"API {server.url}" in done.stdout
    variables.update({"AWS_ACCESS_KEY_ID": "AKIAALICE", "AWS_SECRET_ACCESS_KEY": "wrong"})
    del variables["AWS_PROFILE"]
    done = server.place.call("status", "--endpoint", server.url)
    assert done.returncode == 1
    assert "SignatureDoesNotMatch" in done.stderr
    assert "Set AWS_PROFILE" in done.stderr


def test_a_key_that_is_taken_out_of_the_file_is_refused_at_once(server):
    keys = server.place.folder / "keys"
    text = keys.read_text()
    sts = client(server, "sts", ("222222222222", "of-bob", None))
    try:
        sts.get_caller_identity()
        keys.write_text(text[: text.index("[bob]")])
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            sts.get_caller_identity()
        keys.write_text("[bob")
        with pytest.raises(ClientError, match="ServiceUnavailable"):
            sts.get_caller_identity()
    finally:
        keys.write_text(text)
    sts.get_caller_identity()
