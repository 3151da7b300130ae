"""The function that `albatross event` serves. What matters is the event that it is sent."""

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return {"statusCode": 204}
