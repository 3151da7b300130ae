"""Runs AWS's runtime client for Python, over a socket of the Lambda host's if there is one.

    python [-X fresh] runtime.py

Executed by the function's interpreter, which may be any Python from 3.8 on; nothing of it is
imported by the host. _HANDLER names the handler, _ALBATROSS_CHANNEL the socket's descriptor. AWS's
Python code runs unchanged: over a socket only the native module that speaks HTTP for it,
`runtime_client`, is replaced by a `Channel` with the same four functions. Everything else of the
Runtime API is reached over HTTP as ever. The frames are described in `host/channel.py`.

With `-X fresh`, byte code of modules below the working directory is neither read nor written.

With _ALBATROSS_TEMPLATE it imports what every function needs and then is the process that
`host/local/template.py` describes; what goes on as below are forks of it.
"""

from __future__ import annotations

import _socket  # not `socket`: it takes 3 ms to import, and functions may never need it
import importlib
import os
import runpy
import struct
import sys
from types import ModuleType

_EVENT = struct.Struct("<II")
_ANSWER = struct.Struct("<c36sI")
_RESULT_BYTES_MAX = 6 * 1024 * 1024 + 100
_FAILED = "Failed to %s"
_READ_BYTES = 64 * 1024
_FRAMES = "_LAMBDA_TELEMETRY_LOG_FD"  # see host/observe/framing.py
_CHANNEL = "_ALBATROSS_CHANNEL"
_TEMPLATE = "_ALBATROSS_TEMPLATE"


class Channel(ModuleType):
    """What AWS's code imports as `runtime_client`.

    A result is also the question for the next event: the host takes it so, and answers with an
    event whenever there is one. So an invocation costs one `send` and one `recv`.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__("runtime_client")
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._asked = False  # for the next event

    def initialize_client(self, user_agent: str) -> None:
        """Nothing to prepare."""

    def next(self) -> tuple[bytes, dict[str, str | int | None]]:
        """Return the next event and what belongs to it, as AWS's module does."""
        if not self._asked:
            self._send(b"N", b"", 0)
        self._asked = False
        head, body = self._receive()
        id_, deadline_ms, arn, trace_id, client_context = head.decode().split("\n")
        return body, {
            "Lambda-Runtime-Aws-Request-Id": id_,
            "Lambda-Runtime-Trace-Id": trace_id or None,
            "Lambda-Runtime-Invoked-Function-Arn": arn,
            "Lambda-Runtime-Deadline-Ms": int(deadline_ms),
            "Lambda-Runtime-Client-Context": client_context or None,
            "Content-Type": "application/json",
            "Lambda-Runtime-Cognito-Identity": None,
            "Lambda-Runtime-Aws-Tenant-Id": None,
            "Lambda-Runtime-Invocation-Id": None,
        }

    def post_invocation_result(
        self,
        invoke_id: str,
        result: bytes,
        content_type: str | None = None,
        invocation_id: str | None = None,
    ) -> None:
        """Answer the invocation. A result that Lambda would refuse ends the runtime, as there."""
        if len(result) > _RESULT_BYTES_MAX:
            self._send(b"L", invoke_id.encode(), 0)
            raise RuntimeError(_FAILED % "post invocation response")
        self._send(b"R", invoke_id.encode(), len(result), result)
        self._asked = True

    def post_error(
        self,
        invoke_id: str,
        error: str | bytes,
        xray_fault: str | None = None,
        invocation_id: str | None = None,
    ) -> None:
        """Answer the invocation with an error document. One that is too large ends the runtime."""
        document = error.encode() if isinstance(error, str) else error
        if len(document) > _RESULT_BYTES_MAX:
            self._send(b"L", invoke_id.encode(), 0)
            raise RuntimeError(_FAILED % "post invocation error")
        self._send(b"E", invoke_id.encode(), len(document), document)
        self._asked = True

    def _send(self, kind: bytes, invoke_id: bytes, length: int, body: bytes = b"") -> None:
        try:
            self._socket.sendall(_ANSWER.pack(kind, invoke_id, length) + body)
        except OSError as error:
            raise RuntimeError(_FAILED % "reach the Lambda host") from error

    def _receive(self) -> tuple[bytes, bytes]:
        """Return the head and the body of one event, which most often arrive at once."""
        buffer = self._buffer
        got = self._read(buffer)
        while got < _EVENT.size:
            got += self._read(buffer[got:])
        head_length, body_length = _EVENT.unpack_from(buffer)
        wanted = _EVENT.size + head_length + body_length
        if wanted > len(buffer):
            whole = memoryview(bytearray(wanted))
            whole[:got] = buffer[:got]
            buffer = whole
        while got < wanted:
            got += self._read(buffer[got:wanted])
        at = _EVENT.size + head_length
        return bytes(buffer[_EVENT.size : at]), bytes(buffer[at:wanted])

    def _read(self, into: memoryview) -> int:
        try:
            got = self._socket.recv_into(into)
        except OSError as error:
            raise RuntimeError(_FAILED % "get next") from error
        if not got:
            raise RuntimeError(_FAILED % "get next")
        return got


def read_sources_only(root: str) -> None:
    """Have modules below `root` compiled anew: a time stamp of byte code has whole seconds only."""
    from importlib.machinery import (
        EXTENSION_SUFFIXES,
        SOURCE_SUFFIXES,
        ExtensionFileLoader,
        FileFinder,
        SourceFileLoader,
    )

    class Loader(SourceFileLoader):
        def path_stats(self, path: str) -> dict[str, object]:
            raise OSError("its byte code is not wanted")

    hook = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (Loader, SOURCE_SUFFIXES)
    )

    def below(path: str) -> object:
        if path != root and not path.startswith(root + os.sep):
            raise ImportError(f"{path} is not below {root}")
        return hook(path)

    sys.path_hooks.insert(0, below)  # type: ignore[arg-type]


def import_client() -> None:
    """Import AWS's code before modules of the function or its layers can be found, as Lambda does.

    One that is named like one of Python's (json.py) would take its place there.
    """
    usual = sys.path[:]
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path in usual]
    sys.path[:] = [path for path in usual[1:] if path not in given] + given[::-1]
    importlib.import_module("awslambdaric.bootstrap")
    sys.path[:] = usual


def fork_on_demand(asked: str) -> list[str]:
    """Import AWS's code, and return in forks of this process: the interpreter's options there.

    There, AWS's modules are imported again, as they look at variables then; what else was needed is
    forgotten, as it could stand in the way of a function's own modules.
    """
    *numbers, root = asked.split(" ", 3)
    stand_in = sys.modules["runtime_client"] = ModuleType("runtime_client")
    stand_in.initialize_client = lambda _: None  # type: ignore[attr-defined]
    import_client()
    usual = {
        name for name in sys.modules if not name.startswith(("awslambdaric", "runtime_client"))
    }
    sys.path.insert(0, root)
    template = importlib.import_module("albatross.host.local.template")
    options: list[str] = template.serve(*map(int, numbers))
    del sys.path[0]
    for name in sys.modules.keys() - usual:
        del sys.modules[name]
    return options


def main() -> None:
    options = [*sys._xoptions]
    if _TEMPLATE in os.environ:
        options = fork_on_demand(os.environ.pop(_TEMPLATE))
    if _CHANNEL in os.environ:
        descriptor = int(os.environ.pop(_CHANNEL))
        os.set_inheritable(descriptor, False)
        sys.modules["runtime_client"] = Channel(descriptor)
    sys.argv[1:] = [os.environ["_HANDLER"]]
    if _FRAMES in os.environ:  # AWS's client closes what it writes its log records to
        os.environ[_FRAMES] = str(os.dup(int(os.environ[_FRAMES])))
    import_client()
    sys.path[0] = os.getcwd()  # instead of where this file is
    if "fresh" in options:
        read_sources_only(sys.path[0])
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


main()
