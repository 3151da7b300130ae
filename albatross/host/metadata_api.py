"""The metadata endpoint: it tells a function in which Availability Zone it runs.

Source: Lambda guide, "Using the Lambda metadata endpoint".
"""

import json
import secrets

from albatross.host.environment import Environment
from albatross.host.extension_api import ExtensionConnection, document

PATH = b"/2026-01-15/metadata/execution-environment"
_CACHING = {"Cache-Control": "private, max-age=43200, immutable"}
_SHORT = {"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}


def answer(connection: ExtensionConnection, environment: Environment) -> None:
    """Answer who has the environment's token."""
    given = connection.header(b"authorization") or b""
    expected = f"Bearer {environment.metadata_token}".encode()
    if connection.method != "GET":
        connection.reply(405, document("MethodNotAllowed", "this path takes GET only"))
    elif not secrets.compare_digest(given, expected):
        connection.reply(401, document("Unauthorized", "the token is missing or wrong"))
    else:
        # differs from AWS: every environment is in the first Availability Zone of its Region.
        region = environment.function.arn.split(":")[3]
        found = json.dumps({"AvailabilityZoneID": zone_id(region)}).encode()
        connection.reply(200, found, _CACHING)


def zone_id(region: str) -> str:
    """Return the id of a Region's first zone: `use1-az1` for us-east-1."""
    area, *directions, number = region.split("-")
    return f"{area}{''.join(_SHORT.get(each, each[:1]) for each in directions)}{number}-az1"
