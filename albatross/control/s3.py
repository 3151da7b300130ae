"""Objects of an S3 endpoint that the user has named. botocore is loaded when one is read."""

import os
from dataclasses import dataclass
from typing import Any

from albatross import aws_session

CONNECT_S, READ_S = 5, 10
_CHUNK_BYTES = 1024 * 1024


class ObjectNotFound(Exception):
    """There is no such bucket, key or version, or it may not be read: S3's `code` and `reason`."""

    def __init__(self, location: "Location", code: str, reason: str) -> None:
        super().__init__(f"{location}: {reason}")
        self.code = code
        self.reason = reason


class ObjectTooLarge(Exception):
    """The object has more bytes than were allowed."""


class EndpointUnavailable(Exception):
    """The endpoint is not configured, or does not answer. The message says which."""


@dataclass(frozen=True, slots=True)
class Location:
    bucket: str
    key: str
    version: str | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def read(endpoint: str, location: Location, bytes_max: int) -> bytes:
    """Return the object's content. Blocks: call it in a thread.

    Credentials are those of the server's environment; without any, requests are not signed.
    Raises ObjectNotFound, ObjectTooLarge, EndpointUnavailable.
    """
    if not endpoint:
        raise EndpointUnavailable(
            f"{location} cannot be read, because no S3 endpoint is configured: set s3_endpoint in "
            "albatross.toml, or ALBATROSS_S3_ENDPOINT, for example to http://127.0.0.1:9000"
        )
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"total_max_attempts": 2},
        s3={"addressing_style": "path"},
    )
    region = os.environ.get("AWS_REGION", "us-east-1")
    version = {"VersionId": location.version} if location.version else {}
    try:
        session = aws_session.new()
        if session.get_credentials() is None:
            config = config.merge(Config(signature_version=UNSIGNED))
        client: Any = session.create_client(
            "s3", endpoint_url=endpoint, region_name=region, config=config
        )
        answer = client.get_object(Bucket=location.bucket, Key=location.key, **version)
        chunks, size = [], 0
        for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
            size += len(chunk)
            if size > bytes_max:
                raise ObjectTooLarge(f"{location} has more than {bytes_max} bytes")
            chunks.append(chunk)
    except ClientError as error:
        found = error.response["Error"]
        reason = str(found.get("Message"))
        raise ObjectNotFound(location, str(found.get("Code")), reason) from error
    except (BotoCoreError, ValueError, OSError) as error:
        raise EndpointUnavailable(f"{location} cannot be read from {endpoint}: {error}") from error
    return b"".join(chunks)
