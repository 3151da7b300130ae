"""Functions invoked through the API of a real server, and what they have logged."""

import base64
import io
import json
import os
import sys
import zipfile
from dataclasses import dataclass
from typing import Any

from tests.support.command import until
from tests.support.stack import Stack

# Does what the event says: `run` is Python that may set `result`. `kept` outlives an invocation.
SOURCE = """
import json, os, sys, time

kept = {}

def handler(event, context):
    names = {**globals(), "event": event, "context": context, "result": None}
    exec(event.get("run", "result = event"), names)
    return names["result"]
"""
# The same without a runtime client: `answered` says that `run` has answered by itself.
BOOTSTRAP = f"""#!{os.path.realpath(sys.executable)}
import http.client, json, os, socket, sys, time

RUNTIME = "/2018-06-01/runtime/"
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
kept = {{}}

def call(method, path, body=None, headers={{}}):
    api.request(method, path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())

exec(os.environ.get("INIT", ""))
while True:
    status, event, headers = call("GET", RUNTIME + "invocation/next")
    this = RUNTIME + "invocation/" + headers["Lambda-Runtime-Aws-Request-Id"]
    result, answered = None, False
    exec(json.loads(event).get("run", "result = json.loads(event)"))
    if not answered:
        call("POST", this + "/response", json.dumps(result))
"""


@dataclass(frozen=True)
class Invoked:
    """What Invoke has answered. `log` is the end of the log, `error` its FunctionError."""

    payload: bytes
    error: str | None
    log: str
    request_id: str
    version: str

    @property
    def result(self) -> Any:
        assert self.error is None, self.payload
        return json.loads(self.payload)

    @property
    def failure(self) -> Any:
        assert self.error == "Unhandled", self.payload
        return json.loads(self.payload)

    @property
    def report(self) -> dict[str, str]:
        """The members of the REPORT line."""
        line = next(line for line in self.log.splitlines() if line.startswith("REPORT "))
        parts = line.removeprefix("REPORT ").split("\t")
        return dict(part.split(": ", 1) for part in parts if part)


def invoke(stack: Stack, name: str, event: Any = None, **params: Any) -> Invoked:
    answer = stack.functions.invoke(
        FunctionName=name,
        LogType="Tail",
        **({} if event is None else {"Payload": json.dumps(event)}),
        **params,
    )
    return Invoked(
        payload=answer["Payload"].read(),
        error=answer.get("FunctionError"),
        log=base64.b64decode(answer["LogResult"]).decode(),
        request_id=answer["ResponseMetadata"]["RequestId"],
        version=answer["ExecutedVersion"],
    )


def run(stack: Stack, name: str, code: str, **params: Any) -> Invoked:
    """Have a function of `SOURCE` or `BOOTSTRAP` run `code`."""
    return invoke(stack, name, {"run": code}, **params)


def executable(source: str, name: str = "bootstrap") -> bytes:
    """Return an archive with a program."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o100755 << 16
        file.writestr(entry, source)
    return archive.getvalue()


def make_custom(stack: Stack, source: str = BOOTSTRAP, **params: Any) -> str:
    """Return the ARN of a function that is a program."""
    code = {"ZipFile": executable(source)}
    return stack.make("", Runtime="provided.al2023", Code=code, **params)


def logged(stack: Stack, group: str, needed: str) -> list[str]:
    """Return the messages of a log group, in order, once `needed` is in one of them."""
    logs = stack.server.client("logs")

    def look() -> list[str]:
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            texts = [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return texts if any(needed in text for text in texts) else []

    found: list[str] = until(look)
    return found
