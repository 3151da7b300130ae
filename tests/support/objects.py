"""An S3 of which there is GetObject alone, quick to start. What it holds is put there directly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Objects:
    """The objects, by path. `url`: where they are read."""

    def __init__(self) -> None:
        self.url = ""
        self._by_path: dict[str, bytes] = {}

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._by_path[f"/{bucket}/{key}"] = body

    def get(self, path: str) -> bytes | None:
        return self._by_path.get(path)


@contextmanager
def serving() -> Iterator[Objects]:
    objects = Objects()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = objects.get(unquote(urlsplit(self.path).path))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        objects.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield objects
        finally:
            server.shutdown()
