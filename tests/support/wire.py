"""Calls of the API as bytes: botocore writes them, tests change them, botocore reads answers."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from albatross.aws.service import service

ANSWER_S = 15.0


@dataclass(frozen=True)
class Message:
    """A request. `body` as sent."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer: `result` is what botocore makes of it, `code` that of an error."""

    status: int
    body: bytes
    result: dict[str, Any]

    @property
    def code(self) -> str | None:
        error: dict[str, str] = self.result.get("Error", {})
        return error.get("Code")


def authorization(name: str, account: str, region: str = "us-east-1") -> str:
    """Return a signature that says who calls what; nobody checks it."""
    scope = f"{account}/20260101/{region}/{name}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def message(name: str, operation: OperationModel, params: dict[str, Any], account: str) -> Message:
    """Return the request for an operation of the service with signing name `name`."""
    serializer = create_serializer(service(name).protocol, include_validation=False)
    sent = serializer.serialize_to_request(params, operation)
    path, _, query = sent["url_path"].partition("?")
    fields = sent["query_string"]
    pairs = [query] if query else []
    if fields:
        pairs.append(fields if isinstance(fields, str) else urlencode(fields, doseq=True))
    body = sent["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    headers = {key: str(value) for key, value in sent["headers"].items()}
    headers["Authorization"] = authorization(name, account)
    return Message(
        sent["method"],
        "?".join([path, "&".join(pairs)]) if pairs else path,
        headers,
        body.encode() if isinstance(body, str) else body or b"",
    )


class Caller:
    """Sends requests on one connection, made anew where the server has closed it."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_S)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, name: str, operation_name: str, account: str, params: dict[str, Any]) -> Reply:
        operation = service(name).operation(operation_name)
        return self.send(name, operation, message(name, operation, params, account))

    def send(self, name: str, operation: OperationModel, sent: Message) -> Reply:
        """Return the answer. Raises TimeoutError where there is none in time."""
        status, headers, body = self.exchange(sent)
        parser = create_parser(service(name).protocol)
        answer = {"status_code": status, "headers": headers, "body": body, "context": {}}
        shape = operation.output_shape
        if shape is not None and status < 300 and shape.serialization.get("payload"):
            return Reply(status, body, {})  # a stream is handed on, not parsed
        result = parser.parse(answer, shape)
        result.pop("ResponseMetadata", None)
        return Reply(status, body, result)

    def exchange(self, sent: Message) -> tuple[int, HeadersDict, bytes]:
        try:
            return self._exchange(sent)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            return self._exchange(sent)

    def _exchange(self, sent: Message) -> tuple[int, HeadersDict, bytes]:
        self._connection.request(sent.method, sent.target, sent.body, dict(sent.headers))
        answer = self._connection.getresponse()
        return answer.status, HeadersDict(answer.headers.items()), answer.read()


def with_body(sent: Message, body: bytes) -> Message:
    return replace(sent, body=body)
