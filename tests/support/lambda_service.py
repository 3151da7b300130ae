"""A Lambda service that answers each invocation as the path in its event says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving() -> Iterator[str]:
    """Serve, and yield the URL.

    `/429/TooManyRequestsException` is refused with that status and type of error; at `/200/Handled`
    the function has run and ended in such an error of its own.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            _, status, word = event["path"].split("/")
            ran = status == "200"
            document = {"errorMessage": "m", "errorType": "T"} if ran else {"Message": "m"}
            body = json.dumps(document).encode()
            self.send_response(int(status))
            self.send_header("X-Amz-Function-Error" if ran else "x-amzn-ErrorType", word)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
