"""Ask a running server for what it says of itself, below /_albatross/.

A server with `auth` wants that signed. The keys are those that the aws command would use: of the
environment, or of a profile.
"""

import http.client
import urllib.error
import urllib.request

_SERVICE = "albatross"  # a signing name of our own; the server takes any for these paths


class Refused(Exception):
    """The server wants a signature that cannot be made, or does not accept it."""


def get(endpoint: str, name: str, *, timeout_s: float) -> bytes:
    """Return the answer to GET /_albatross/`name`. Raises what `call` does."""
    with call(endpoint, name, timeout_s=timeout_s) as answer:
        return answer.read()


def call(
    endpoint: str, name: str, *, body: bytes | None = None, timeout_s: float
) -> http.client.HTTPResponse:
    """Return the answer to GET /_albatross/`name`, or to POST with a `body`, to be read.

    Raises Refused, OSError (of which URLError is one), ValueError for an endpoint that is no URL.
    """
    url = f"{endpoint}/_albatross/{name}"
    try:
        return _open(url, body, {}, timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != 403:
            raise
        error.close()
    try:
        return _open(url, body, _signed(url, body), timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != 403:
            raise
        raise Refused(
            f"{error.read().decode(errors='replace').strip()} Set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, to an access key of its file."
        ) from error


def _open(
    url: str, body: bytes | None, headers: dict[str, str], timeout_s: float
) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, data=body, headers=headers)
    if body is not None and "Content-Type" not in headers:
        request.add_header("Content-Type", "application/octet-stream")
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout_s)
    return answer


def _signed(url: str, body: bytes | None) -> dict[str, str]:
    """Return the headers of a signed request. Raises Refused where there is no access key."""
    from botocore.auth import SigV4Auth  # takes a while, and most servers want no signature
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        session = Session()
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise Refused(str(error)) from error
    if credentials is None:
        raise Refused(
            "it takes signed requests only, and there is no access key. Set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    request = AWSRequest("GET" if body is None else "POST", url, data=body)
    region = session.get_config_variable("region") or "us-east-1"
    SigV4Auth(credentials.get_frozen_credentials(), _SERVICE, region).add_auth(request)
    return dict(request.headers.items())
