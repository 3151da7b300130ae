"""The connections of the host's servers, over real sockets."""

import asyncio
from pathlib import Path

import pytest

from albatross.host.http import HEAD_BYTES_MAX, HttpConnection

START = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


class Broken(HttpConnection):
    def received(self) -> None:
        raise RuntimeError("a mistake of ours")


class Greeter(HttpConnection):
    def received(self) -> None:
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


def answers(directory: Path, kind: type[HttpConnection], *parts: bytes) -> bytes:
    """Return all that a server says to who sends `parts` and no more."""

    async def ask() -> bytes:
        gone = asyncio.Event()

        class Watched(kind):  # type: ignore[valid-type, misc]
            def lost(self) -> None:
                gone.set()

        path = str(directory / "s")
        server = await asyncio.get_running_loop().create_unix_server(Watched, path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.writelines(parts)
        await writer.drain()
        writer.write_eof()
        answer = await reader.read()
        await gone.wait()
        writer.close()
        await writer.wait_closed()
        server.close()
        return answer

    return asyncio.run(ask())


def test_a_mistake_of_ours_is_told_as_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answer = answers(tmp_path, Broken, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    (told,) = caplog.records
    assert told.levelname == "ERROR"
    assert "a mistake of ours" in caplog.text


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(b"GET /", b"a", id="a target"),
        pytest.param(START + b"a: ", b"a", id="a value"),
        pytest.param(START, b"a", id="a name"),
        pytest.param(START, b"a: b\r\n", id="many headers"),
        pytest.param(CHUNKED + b"1\r\na\r\n0\r\na: ", b"a", id="a trailer"),
        pytest.param(CHUNKED + b"1;", b"a", id="an extension of a chunk"),
        pytest.param(b"", b"\r\n", id="blank lines"),
    ],
)
def test_a_head_without_an_end_is_refused(tmp_path: Path, begin: bytes, more: bytes) -> None:
    answer = answers(tmp_path, Greeter, begin, more * (2 * HEAD_BYTES_MAX // len(more)))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"Connection: close" in answer


def test_a_header_of_one_megabyte_is_taken_and_again_in_the_next_request(tmp_path: Path) -> None:
    request = START + b"Content-Length: 1\r\na: " + b"a" * 1024 * 1024 + b"\r\n\r\na"
    assert answers(tmp_path, Greeter, request, request).count(b"HTTP/1.1 200 ") == 2


def test_a_body_in_chunks_of_one_byte_is_no_head(tmp_path: Path) -> None:
    count = HEAD_BYTES_MAX // 6 + 1
    answer = answers(tmp_path, Greeter, CHUNKED, b"1\r\na\r\n" * count, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
