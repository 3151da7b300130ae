"""What a function streams -> the response of its function URL, while it comes. Pure.

Source: Lambda guide, "Invoking a response streaming enabled function using Lambda function URLs".
"""

from albatross.host.response import Response
from albatross.host.urls import response as url_response

METADATA_BYTES_MAX = 256 * 1024  # AWS is silent: the metadata of a stream may have 256 KB.


class UrlStream:
    """One response. `response` is its head, as soon as that is known."""

    def __init__(self, content_type: str) -> None:
        self.response: Response | None = None
        self._held = b""  # of metadata that is not complete
        if content_type != url_response.HTTP_RESPONSE:
            lines = [("Content-Type", content_type)]
            self.response = Response(200, "OK", lines, b"")

    def part(self, data: bytes) -> bytes:
        """Take a part of the stream and return what of it belongs to the body."""
        if self.response is not None:
            return data
        self._held += data
        metadata, delimiter, body = self._held.partition(url_response.DELIMITER)
        if delimiter:
            self._held = b""
            self.response = url_response.from_prelude(metadata)
            return body
        if len(self._held) > METADATA_BYTES_MAX:
            self.response = url_response.error_response(502, "metadata of the stream: no end of it")
        return b""

    def end(self) -> Response:
        """The stream has ended: return the head of the response, whatever has come."""
        if self.response is None:
            self.response = url_response.error_response(502, "metadata of the stream: no end of it")
        return self.response
