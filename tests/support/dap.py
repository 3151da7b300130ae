"""A debugger for Python as an editor drives it: the Debug Adapter Protocol over a socket."""

import json
import socket
from typing import Any

ANSWER_S = 30.0


class Debugger:
    """Attached to the debugpy that listens on `port`."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self._file = self._socket.makefile("rb")
        self._sent = 0
        self._read: list[dict[str, Any]] = []

    def attach(self, breakpoints: dict[str, list[int]]) -> None:
        """Attach, with breakpoints by file and line."""
        self._wait(self.send("initialize", adapterID="test", pathFormat="path"))
        attached = self.send("attach", justMyCode=False)
        self.event("initialized")
        for path, lines in breakpoints.items():
            places = [{"line": line} for line in lines]
            self._wait(self.send("setBreakpoints", source={"path": path}, breakpoints=places))
        self._wait(self.send("configurationDone"))
        self._wait(attached)

    def send(self, command: str, **arguments: Any) -> int:
        """Return the number of the request."""
        self._sent += 1
        message = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return self._sent

    def ask(self, command: str, **arguments: Any) -> Any:
        return self._wait(self.send(command, **arguments))

    def event(self, name: str) -> Any:
        """Return the body of the next event `name`, once it is there."""
        return self._find(lambda each: each.get("event") == name).get("body")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _wait(self, number: int) -> Any:
        answer = self._find(lambda each: each.get("request_seq") == number)
        assert answer["success"], answer
        return answer.get("body")

    def _find(self, is_it: Any) -> dict[str, Any]:
        while True:
            for index, each in enumerate(self._read):
                if is_it(each):
                    return self._read.pop(index)
            self._read.append(self._message())

    def _message(self) -> dict[str, Any]:
        length = 0
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the debugger has closed the connection"
        message: dict[str, Any] = json.loads(self._file.read(length))
        return message
