"""Messages to queues, topics, buses and buckets, read back from moto, a stand-in for AWS."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from albatross import aws_session
from albatross.asynchronous.delivery import Message, Sender, Undeliverable
from albatross.asynchronous.event import Event, Result

ACCOUNT, REGION = "123456789012", "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:my-function"
EVENT = Event(id="id-1", arn=ARN, payload=b'{"a": 1}', accepted_s=0, due_s=0)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def send(endpoint: str, message: Message) -> None:
    Sender(endpoint, threads=2).send(message)


def client(service: str, endpoint: str) -> Any:
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION)


def receive(endpoint: str, name: str) -> dict[str, Any]:
    sqs = client("sqs", endpoint)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def test_a_queue_gets_the_record_as_the_message(endpoint):
    client("sqs", endpoint).create_queue(QueueName="records")
    to = f"arn:aws:sqs:{REGION}:{ACCOUNT}:records"
    send(endpoint, Message.record(EVENT, to, b'{"version":"1.0"}', is_success=True))
    assert receive(endpoint, "records")["Body"] == '{"version":"1.0"}'


@pytest.mark.parametrize(
    "result, code, text",
    [
        pytest.param(
            Result(function_error="Unhandled", payload=b'{"errorMessage": "no"}'),
            "200",
            "no",
            id="the function failed",
        ),
        pytest.param(
            Result(refusal="TooManyRequestsException: x"),
            "429",
            "TooManyRequestsException: x",
            id="throttled",
        ),
    ],
)
def test_a_dead_letter_queue_gets_the_event_and_why(endpoint, result, code, text):
    client("sqs", endpoint).create_queue(QueueName="dead")
    to = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
    send(endpoint, Message.dead_letter(EVENT, to, result))
    message = receive(endpoint, "dead")
    assert message["Body"] == '{"a": 1}'
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    assert attributes == {"RequestID": "id-1", "ErrorCode": code, "ErrorMessage": text}


def test_a_topic_gets_the_record_as_the_message(endpoint):
    sns, sqs = client("sns", endpoint), client("sqs", endpoint)
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sqs.create_queue(QueueName="subscriber")
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:subscriber"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    send(endpoint, Message.record(EVENT, topic, b'{"version":"1.0"}', is_success=False))
    assert json.loads(receive(endpoint, "subscriber")["Body"])["Message"] == '{"version":"1.0"}'


@pytest.mark.parametrize("is_success, word", [(True, "Success"), (False, "Failure")])
def test_a_bus_gets_the_record_as_the_detail(endpoint, is_success, word):
    events, sqs = client("events", endpoint), client("sqs", endpoint)
    bus = events.create_event_bus(Name=f"bus-{word}")["EventBusArn"]
    sqs.create_queue(QueueName=f"bus-{word}")
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:bus-{word}"
    pattern = json.dumps({"source": ["lambda"]})
    events.put_rule(Name="all", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": queue}])
    send(endpoint, Message.record(EVENT, bus, b'{"version":"1.0"}', is_success=is_success))
    event = json.loads(receive(endpoint, f"bus-{word}")["Body"])
    assert event["detail-type"] == f"Lambda Function Invocation Result - {word}"
    assert event["detail"] == {"version": "1.0"}
    assert event["resources"] == [bus, f"{ARN}:$LATEST"]


def test_a_bucket_gets_an_object_named_after_function_and_time(endpoint):
    s3 = client("s3", endpoint)
    s3.create_bucket(Bucket="failures")
    to = "arn:aws:s3:::failures"
    send(endpoint, Message.record(EVENT, to, b'{"version":"1.0"}', is_success=False))
    (found,) = s3.list_objects_v2(Bucket="failures")["Contents"]
    day = r"\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d"
    assert re.fullmatch(rf"aws/lambda/async/my-function/{day}-[0-9a-f-]{{36}}", found["Key"])
    body = s3.get_object(Bucket="failures", Key=found["Key"])["Body"].read()
    assert body == b'{"version":"1.0"}'


def test_what_is_not_there_is_said(endpoint):
    message = Message.record(EVENT, f"arn:aws:sqs:{REGION}:{ACCOUNT}:none", b"{}", is_success=True)
    with pytest.raises(Undeliverable, match="none"):
        send(endpoint, message)
    with pytest.raises(Undeliverable, match="destinations_endpoint"):
        send("", message)
    with pytest.raises(Undeliverable, match=r"127\.0\.0\.1:1"):
        send("http://127.0.0.1:1", message)


class Page(BaseHTTPRequestHandler):
    """Answers as a server that is no AWS."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<html>" + b"x" * 10_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("destination", ["sqs:{}:q", "sns:{}:t", "events:{}:event-bus/b"])
def test_an_endpoint_that_is_no_aws_is_said(destination):
    arn = f"arn:aws:{destination.format(f'{REGION}:{ACCOUNT}')}"
    message = Message.record(EVENT, arn, b"{}", is_success=True)
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(Undeliverable, match="no answer of AWS") as error:
            send(f"http://127.0.0.1:{server.server_port}", message)
        server.shutdown()
    assert len(str(error.value)) < 500


def test_a_profile_that_is_not_there_is_said(endpoint, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    message = Message.record(EVENT, f"arn:aws:sqs:{REGION}:{ACCOUNT}:any", b"{}", is_success=True)
    with pytest.raises(Undeliverable, match="nobodys"):
        send(endpoint, message)


def test_messages_share_a_session_of_botocore(endpoint, monkeypatch):
    made = []
    new = aws_session.new
    monkeypatch.setattr(aws_session, "new", lambda: made.append(new()) or made[-1])
    client("sqs", endpoint).create_queue(QueueName="shared")
    to = f"arn:aws:sqs:{REGION}:{ACCOUNT}:shared"
    message = Message.record(EVENT, to, b"{}", is_success=True)
    sender = Sender(endpoint, threads=8)
    with ThreadPoolExecutor(8) as threads:
        for sent in [threads.submit(sender.send, message) for _ in range(40)]:
            sent.result()
    url = client("sqs", endpoint).get_queue_url(QueueName="shared")["QueueUrl"]
    found = client("sqs", endpoint).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert found["Attributes"]["ApproximateNumberOfMessages"] == "40"
    assert len(made) == 1


class Strict(BaseHTTPRequestHandler):
    """Takes messages to topics from those with one key."""

    key = "old"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        is_known = f"Credential={self.key}/" in self.headers["Authorization"]
        body = b"<PublishResponse><PublishResult/></PublishResponse>" if is_known else REFUSAL
        self.send_response(200 if is_known else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


REFUSAL = b"<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>"


def test_credentials_that_are_renewed_in_their_file_are_used_at_once(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    lines = "[default]\naws_access_key_id = {}\naws_secret_access_key = x\n"
    to = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
    message = Message.record(EVENT, to, b"{}", is_success=True)
    with HTTPServer(("127.0.0.1", 0), Strict) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        sender = Sender(f"http://127.0.0.1:{server.server_port}", threads=1)
        file.write_text(lines.format("old"))
        sender.send(message)
        monkeypatch.setattr(Strict, "key", "new")
        with pytest.raises(Undeliverable, match="ExpiredToken"):
            sender.send(message)
        file.write_text(lines.format("new"))
        sender.send(message)
        server.shutdown()
