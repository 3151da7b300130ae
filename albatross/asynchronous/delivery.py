"""What is sent to destinations that are not functions, and how. botocore is loaded for it.

Source: Lambda guide, "Capturing records of Lambda asynchronous invocations".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

from albatross.asynchronous.event import Event, Result
from albatross.asynchronous.record import qualified
from albatross.aws_session import SharedClients

_CONNECT_S, _READ_S = 5, 10
_SHOWN_CHARACTERS = 256  # of an answer that is not AWS's
_ERROR_MESSAGE_CHARACTERS = 1024  # [guide] "the first 1 KB of the error message"


class Undeliverable(Exception):
    """The message has not reached its destination. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes to `destination`, an ARN. `attributes`: of a message to a dead-letter queue."""

    destination: str
    function_arn: str  # of whose event it tells, qualified
    body: bytes = field(repr=False)
    is_success: bool = False
    attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # type and value

    @classmethod
    def record(cls, event: Event, to: str, document: bytes, *, is_success: bool) -> "Message":
        """Return the message that carries an invocation record."""
        arn = qualified(event.arn)
        return cls(destination=to, function_arn=arn, body=document, is_success=is_success)

    @classmethod
    def dead_letter(cls, event: Event, to: str, result: Result | None) -> "Message":
        """Return the message that carries an event as it is to a dead-letter queue."""
        attributes = {"RequestID": ("String", event.id)}
        if result is not None:
            code, text = ("200", _error_message(result.payload))
            if result.refusal is not None:
                code, text = ("429" if "TooMany" in result.refusal else "500", result.refusal)
            attributes["ErrorCode"] = ("Number", code)
            if text:
                attributes["ErrorMessage"] = ("String", text)
        return cls(
            destination=to,
            function_arn=qualified(event.arn),
            body=event.payload,
            attributes=attributes,
        )

    @property
    def service(self) -> str:
        return self.destination.split(":")[2]

    @property
    def is_for_function(self) -> bool:
        return self.service == "lambda"


class Sender:
    """Sends messages to the AWS API at `endpoint`, from as many threads as there are `threads`.

    Credentials are those of the server's environment.
    """

    def __init__(self, endpoint: str, threads: int) -> None:
        self._endpoint = endpoint
        self._clients = SharedClients(
            endpoint,
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            max_pool_connections=threads,
            retries={"total_max_attempts": 3},
            s3={"addressing_style": "path"},
        )

    def send(self, message: Message) -> None:
        """Send `message` to its destination. Blocks: call it in a thread. Raises Undeliverable."""
        if not self._endpoint:
            raise Undeliverable(
                f"{message.destination} is in no AWS that this server knows: set "
                "destinations_endpoint in albatross.toml, or ALBATROSS_DESTINATIONS_ENDPOINT"
            )
        try:
            self._send(message)
        except Undeliverable as error:
            raise Undeliverable(f"{message.destination} at {self._endpoint}: {error}") from error

    def _send(self, message: Message) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._perform(message)
        except Undeliverable:
            raise
        except (BotoCoreError, ClientError, ValueError, OSError) as error:
            raise Undeliverable(str(error)) from error
        except Exception as error:  # of whatever botocore makes of an answer that is not AWS's
            shown = repr(error)[:_SHOWN_CHARACTERS]
            raise Undeliverable(f"no answer of AWS: {shown}") from error

    def _perform(self, message: Message) -> None:
        from botocore.exceptions import ClientError

        region, account = message.function_arn.split(":")[3:5]
        region = message.destination.split(":")[3] or region
        perform = _SENDERS[message.service]
        client, is_new = self._clients.get(message.service, region, account)
        try:
            perform(client, message)
        except ClientError:
            if is_new:
                raise
            self._clients.forget(client)  # its credentials may have been renewed outside
            client, _ = self._clients.get(message.service, region, account)
            perform(client, message)


def _to_queue(client: Any, message: Message) -> None:
    account, name = message.destination.split(":")[4:6]
    url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    client.send_message(
        QueueUrl=url, MessageBody=message.body.decode(), MessageAttributes=_attributes(message)
    )


def _to_topic(client: Any, message: Message) -> None:
    client.publish(
        TopicArn=message.destination,
        Message=message.body.decode(),
        MessageAttributes=_attributes(message),
    )


def _to_bus(client: Any, message: Message) -> None:
    outcome = "Success" if message.is_success else "Failure"
    answer = client.put_events(
        Entries=[
            {
                "Source": "lambda",
                "DetailType": f"Lambda Function Invocation Result - {outcome}",
                "Detail": message.body.decode(),
                "Resources": [message.destination, message.function_arn],
                "EventBusName": message.destination,
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise Undeliverable(str(answer["Entries"][0].get("ErrorMessage")))


def _to_bucket(client: Any, message: Message) -> None:
    now, name = datetime.now(UTC), message.function_arn.split(":")[6]
    key = f"aws/lambda/async/{name}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}"
    bucket = message.destination.rpartition(":")[2]
    client.put_object(Bucket=bucket, Key=key, Body=message.body)


_SENDERS = {"sqs": _to_queue, "sns": _to_topic, "events": _to_bus, "s3": _to_bucket}


def _attributes(message: Message) -> dict[str, dict[str, str]]:
    return {
        name: {"DataType": kind, "StringValue": value}
        for name, (kind, value) in message.attributes.items()
    }


def _error_message(payload: bytes) -> str:
    try:
        text = orjson.loads(payload)["errorMessage"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(text)[:_ERROR_MESSAGE_CHARACTERS]
