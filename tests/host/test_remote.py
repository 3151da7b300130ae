"""The engine for functions elsewhere, against a real HTTP server that does what it is told."""

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from albatross.aws.http import Request
from albatross.host import remote as engine
from albatross.host.invocation import Invocation, Outcome
from albatross.model.remote import parse
from tests.support import tls
from tests.support.command import free_port

REGION, ACCOUNT = "eu-west-1", "123456789012"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fn"

Script = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Speaks as much HTTP as a test needs; `requests` are those it has got."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._script = script
        self._context = context

    async def __aenter__(self) -> "Server":
        port = free_port()  # no other test still checks a target there
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self._context)
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().rstrip().split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ")
                path, _, query = target.partition("?")
                request = Request(method, path, query, headers, body)
                self.requests.append(request)
                await self._script(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Script:
    """Return a script that answers so; in names of headers `_` stands for a hyphen."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} any\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode()

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head + body)

    return script


async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def break_off(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    writer.close()


async def babble(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"this is not HTTP\r\n\r\n")


async def say_nothing(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def flood(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(8):
        writer.write(b"100000\r\n" + bytes(0x100000) + b"\r\n")
        await writer.drain()


async def invoke(
    url: str, *, arn: str = ARN, event: bytes = b"{}", times: int = 1, **options: Any
) -> list[tuple[Invocation, Outcome]]:
    """Invoke a function at `url`; `wants_log` and such are set on the invocation."""
    members = {
        key: options.pop(key)
        for key in ("profile", "credentials", "name", "region")
        if key in options
    }
    remotes = parse({"arn:aws:lambda:*:*:function:*": {"endpoint": url, **members}})
    ended: asyncio.Queue[tuple[Invocation, Outcome]] = asyncio.Queue()
    elsewhere = engine.RemoteEngine(remotes, connect_s=0.3)
    found = []
    try:
        for _ in range(times):
            invocation = Invocation(event, lambda *end: ended.put_nowait(end), invoked_arn=arn)
            for name, value in options.items():
                setattr(invocation, name, value)
            runner = elsewhere.find(arn)
            assert runner is not None
            runner.submit(invocation)
            found.append(await asyncio.wait_for(ended.get(), 10))
    finally:
        await elsewhere.close()
    return found


def run(script: Script, **options: Any) -> tuple[Server, list[tuple[Invocation, Outcome]]]:
    async def all_of_it() -> tuple[Server, list[tuple[Invocation, Outcome]]]:
        async with Server(script) as server:
            return server, await invoke(server.url, **options)

    return asyncio.run(all_of_it())


def test_the_result_and_who_gave_it_come_back() -> None:
    tail = base64.b64encode(b"printed\n").decode()
    script = answer(
        body=b'{"statusCode":200}',
        x_amzn_RequestId="their-id",
        X_Amz_Executed_Version="7",
        X_Amz_Log_Result=tail,
    )
    server, [(invocation, outcome)] = run(
        script,
        event='{"path":"/\u00e4"}'.encode(),
        wants_log=True,
        client_context='{"a":1}',
        trace_id="Root=1-0-0;Parent=0;Sampled=0",
    )
    assert outcome == Outcome(b'{"statusCode":200}')
    assert (invocation.id, invocation.version) == ("their-id", "7")
    assert invocation.log == [b"printed\n"]
    [request] = server.requests
    assert request.method == "POST"
    assert request.path == "/2015-03-31/functions/fn/invocations"
    assert json.loads(request.body) == {"path": "/\u00e4"}
    assert request.headers["x-amz-invocation-type"] == "RequestResponse"
    assert request.headers["x-amz-log-type"] == "Tail"
    assert base64.b64decode(request.headers["x-amz-client-context"]) == b'{"a":1}'
    assert request.headers["x-amzn-trace-id"] == "Root=1-0-0;Parent=0;Sampled=0"


@pytest.mark.parametrize(("kind", "status"), [("Event", 202), ("DryRun", 204)])
def test_an_invocation_that_is_not_waited_for_is_one_there_too(kind: str, status: int) -> None:
    server, [(_, outcome)] = run(answer(status, b""), invocation_type=kind)
    assert outcome == Outcome(b"")
    [request] = server.requests
    assert request.headers["x-amz-invocation-type"] == kind
    assert request.body == b"{}"


@pytest.mark.parametrize(
    ("arn", "options", "target"),
    [
        pytest.param(f"{ARN}:prod", {}, ("fn", "Qualifier=prod"), id="alias"),
        pytest.param(f"{ARN}:$LATEST", {}, ("fn", "Qualifier=%24LATEST"), id="$LATEST"),
        pytest.param(ARN, {"name": "function"}, ("function", ""), id="another name"),
    ],
)
def test_a_function_is_called_by_the_name_it_has_there(
    arn: str, options: dict[str, str], target: tuple[str, str]
) -> None:
    server, _ = run(answer(), arn=arn, **options)
    [request] = server.requests
    assert request.path == f"/2015-03-31/functions/{target[0]}/invocations"
    assert request.query == target[1]
    assert "x-amz-log-type" not in request.headers


def test_aws_is_told_the_whole_arn() -> None:
    remotes = parse({f"{ARN}*": {"endpoint": "aws", "profile": "any"}})

    async def url() -> str:
        elsewhere = engine.RemoteEngine(remotes)
        runner = elsewhere.find(f"{ARN}:1")
        await elsewhere.close()
        assert runner is not None
        return runner.url

    quoted = f"{ARN}".replace(":", "%3A")
    assert asyncio.run(url()) == (
        f"https://lambda.{REGION}.amazonaws.com/2015-03-31/functions/{quoted}/invocations"
        "?Qualifier=1"
    )


def test_connections_are_kept() -> None:
    server, ended = run(answer(), times=5)
    assert len(ended) == len(server.requests) == 5
    assert server.connections == 1


def test_a_function_that_no_pattern_names_is_not_elsewhere() -> None:
    async def find() -> object:
        elsewhere = engine.RemoteEngine(parse({f"{ARN}*": "http://127.0.0.1:1"}))
        found = elsewhere.find(ARN.replace("fn", "other"))
        await elsewhere.close()
        return found

    assert asyncio.run(find()) is None


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param(hang_up, "ConnectionError", id="hangs up"),
        pytest.param(break_off, "ConnectionError", id="breaks off"),
        pytest.param(babble, "ConnectionError", id="no HTTP"),
        pytest.param(flood, "ResponseTooLarge", id="too large"),
        pytest.param(answer(503, b""), "ServiceException", id="503"),
        pytest.param(
            answer(302, b"", Location="http://127.0.0.1:1/"), "ServiceException", id="redirect"
        ),
        pytest.param(
            answer(429, b'{"Reason":"x"}', x_amzn_ErrorType="TooManyRequestsException"),
            "TooManyRequestsException",
            id="throttled",
        ),
    ],
)
def test_whatever_goes_wrong_is_an_outcome_and_nothing_is_tried_twice(
    script: Script, code: str
) -> None:
    server, [(_, outcome)] = run(script)
    assert outcome.api_error == code
    assert outcome.payload
    assert len(server.requests) == 1


def test_a_connection_that_breaks_leaves_others_alone() -> None:
    broken = iter((True, False, False))

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        await (hang_up if next(broken) else answer())(request, writer)

    _, ended = run(script, times=3)
    assert [outcome.api_error for _, outcome in ended] == ["ConnectionError", None, None]


def test_nobody_there_is_a_connection_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    [(_, outcome)] = asyncio.run(invoke(f"http://127.0.0.1:{port}"))
    assert outcome.api_error == "ConnectionError"


def test_a_name_that_leads_nowhere_is_a_connection_error() -> None:
    [(_, outcome)] = asyncio.run(invoke("http://nowhere.invalid"))
    assert outcome.api_error == "ConnectionError"


def test_a_connection_that_is_not_accepted_in_time_is_a_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):  # as many as fit into its queue, and more
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        [(_, outcome)] = asyncio.run(invoke(f"http://127.0.0.1:{full.getsockname()[1]}"))
        for filler in fillers:
            filler.close()
    assert outcome.api_error == "ConnectionTimeout"


def test_no_answer_in_time_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "READ_S", 0.2)
    server, [(_, outcome)] = run(say_nothing)
    assert outcome.api_error == "ConnectionTimeout"
    assert len(server.requests) == 1


@pytest.mark.parametrize("is_trusted", [True, False])
def test_who_answers_must_be_vouched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    root = tls.authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.make("localhost", signer=root).file(tmp_path))
    (tmp_path / "root.pem").write_bytes(root.pem)
    if is_trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "root.pem"))

    async def over_tls() -> list[tuple[Invocation, Outcome]]:
        async with Server(answer(), context) as server:
            url = server.url.replace("http://127.0.0.1", "https://localhost")
            return await invoke(url, times=2)

    ended = asyncio.run(over_tls())
    expected = None if is_trusted else "ConnectionError"
    assert [outcome.api_error for _, outcome in ended] == [expected, expected]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with AWS's configuration, and nothing of the environment's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    write_key(tmp_path, "AKIAFROMPROFILE")
    return tmp_path


def write_key(home: Path, key: str) -> None:
    (home / "credentials").write_text(
        f"[dev]\naws_access_key_id = {key}\naws_secret_access_key = s\n"
    )


@pytest.mark.parametrize(
    ("options", "credential"),
    [
        pytest.param({}, f"{ACCOUNT}/*/{REGION}/lambda", id="worthless, of the account"),
        pytest.param({"region": "us-west-2"}, f"{ACCOUNT}/*/us-west-2/lambda", id="another Region"),
        pytest.param({"profile": "dev"}, f"AKIAFROMPROFILE/*/{REGION}/lambda", id="profile"),
        pytest.param(
            {"credentials": "environment"}, f"AKIAFROMENV/*/{REGION}/lambda", id="environment"
        ),
    ],
)
def test_calls_are_signed_as_the_configuration_says(
    home: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], credential: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    server, [(_, outcome)] = run(answer(), **options)
    assert outcome.api_error is None
    headers = server.requests[0].headers
    before, _, after = credential.partition("*")
    assert f"Credential={before}" in headers["authorization"]
    assert f"{after}/aws4_request" in headers["authorization"]
    assert (headers.get("x-amz-security-token") == "token") == ("credentials" in options)


@pytest.mark.parametrize("options", [{"profile": "none"}, {"credentials": "environment"}])
def test_without_credentials_nothing_is_sent_and_the_place_is_named(
    home: Path, options: dict[str, str]
) -> None:
    server, [(_, outcome)] = run(answer(), **options)
    assert outcome.api_error == "AccessDeniedException"
    assert b"credentials of" in outcome.payload
    assert server.requests == []


def test_credentials_that_are_refused_are_read_again(home: Path) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        is_new = "AKIANEW" in request.headers["authorization"]
        write_key(home, "AKIANEW")
        refusal = answer(403, x_amzn_ErrorType="ExpiredTokenException")
        await (answer() if is_new else refusal)(request, writer)

    _, ended = run(script, times=2, profile="dev")
    assert [outcome.api_error for _, outcome in ended] == ["AccessDeniedException", None]
