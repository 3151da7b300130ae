"""Routes of AWS Lambda Powertools for Python (ALBResolver), and its typed event."""

import base64
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import ALBResolver, Response
from aws_lambda_powertools.shared.cookies import Cookie
from aws_lambda_powertools.utilities.data_classes import ALBEvent, event_source

app = ALBResolver(decode_query_parameters=True)


@app.route("/hello", method=["GET", "HEAD"])
def hello() -> Response[str]:
    return Response(200, content_type="text/plain", body="hello")


@app.route(r"/echo/.+", method=["GET", "POST", "PUT", "DELETE"])
def echo() -> dict[str, object]:
    event = app.current_event
    query = event.resolved_query_string_parameters
    headers = {
        name.lower(): value if isinstance(value, str) else value[-1]
        for name, value in event.resolved_headers_field.items()
    }
    return {
        "method": event.http_method,
        "path": event.path.removeprefix("/echo/"),
        "query": [[name, value] for name, values in query.items() for value in values],
        "cookies": dict(pair.split("=") for pair in headers.get("cookie", "").split("; ") if pair),
        "host": headers["host"],
        "scheme": headers["x-forwarded-proto"],
        "client": headers["x-forwarded-for"],
        "agent": headers.get("x-agent"),
    }


@app.post("/form")
def form() -> list[list[str]]:
    pairs = parse_qsl(app.current_event.decoded_body or "", keep_blank_values=True)
    return [list(pair) for pair in pairs]


@app.post("/json")
def document() -> dict[str, object]:
    return app.current_event.json_body


@app.post("/png")
def png() -> Response[bytes]:
    body = base64.b64decode(app.current_event.body or "")
    return Response(200, content_type="image/png", body=body[::-1])


@app.get("/cookies")
def cookies() -> Response[str]:
    set_ = [Cookie("a", "1", path="/", secure=False), Cookie("b", "2", http_only=True)]
    return Response(200, content_type="text/plain", body="set", cookies=set_)


@app.get("/large")
def large() -> Response[str]:
    return Response(200, content_type="text/plain; charset=utf-8", body="é" * 100_000)


@app.post("/length")
def length() -> int:
    event = app.current_event
    body = event.body or ""
    return len(base64.b64decode(body) if event.is_base64_encoded else body.encode())


def handler(event: dict[str, object], context: object) -> dict[str, object]:
    return app.resolve(event, context)


@event_source(data_class=ALBEvent)
def typed(event: ALBEvent, context: object) -> dict[str, object]:
    """Answer with what the typed event says, in the family of headers that the event has."""
    named = "headers" if event.headers and "multiValueHeaders" not in event else "multiValueHeaders"
    group = event.request_context.elb_target_group_arn
    value = group if named == "headers" else [group]
    return {"statusCode": 200, named: {"X-Group": value}, "body": event.path}
