"""Requests over HTTP/2 to a load balancer of tests, each on a connection of its own."""

import json

import h2.config
import h2.connection
import h2.events

from tests.support.envoy import Answer
from tests.support.stack import Front
from tests.support.tls import TlsClient, client_context

NAME = "www.example.com"
CONTEXT = client_context(alpn=("h2",))


def ask(
    front: Front,
    method: str = "GET",
    path: str = "/",
    *lines: tuple[str, str],
    authority: str | None = NAME,
    body: str | None = None,
) -> Answer:
    """Return the answer to one request on a connection of its own."""
    settings = h2.config.H2Configuration(
        header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
    )
    http2 = h2.connection.H2Connection(settings)
    http2.initiate_connection()
    head = [(":method", method), (":path", path), (":scheme", "https")]
    head += [(":authority", authority)] if authority else []
    http2.send_headers(1, [*head, *lines], end_stream=body is None)
    if body is not None:
        http2.send_data(1, body.encode(), end_stream=True)
    found, content = [], b""
    with TlsClient(front.real_port, NAME, address=front.address, context=CONTEXT) as client:
        client.write(http2.data_to_send())
        while True:
            received = client.tls.recv(65536)
            if not received:
                raise EOFError("the connection ended before the response")
            for happened in http2.receive_data(received):
                match happened:
                    case h2.events.ResponseReceived(headers=headers):
                        found = list(headers)
                    case h2.events.DataReceived(data=data):
                        content += data
                    case h2.events.StreamEnded():
                        status = int(found.pop(0)[1])
                        return Answer(status, "", found, content, closed=False)
                    case h2.events.StreamReset():
                        raise EOFError(happened)
            client.write(http2.data_to_send())


def reply(front: Front, result: object, method: str = "POST") -> Answer:
    """Have the function return `result` and tell what the client gets."""
    return ask(front, method, "/-/reply", body=json.dumps(result))
