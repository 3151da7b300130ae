"""What the author of a function can do about a result that is no response. Pure."""

import orjson

ABSENT = object()  # of a member that is not there
_RESPONSE = 'a response is an object such as {"statusCode": 200, "body": "text"}'
_NOT_JSON = ("NaN", "Infinity", "-Infinity")  # which Python's json writes all the same


def of(field: str, found: object) -> str:
    """Return what to do about `field`, which is `found` instead of what it must be; or ""."""
    match field, found:
        case "result", None:
            return "every path through the handler must return a response"
        case ("result", _) | ("statusCode", None):
            return _RESPONSE
        case "statusCode", _ if found is ABSENT:
            return _RESPONSE
        case "statusCode", str(text) if text.isdecimal():
            return "leave the quotes away"
        case "body", dict() | list():
            return "make it text, with json.dumps or JSON.stringify"
        case "body", None:
            return 'leave it away, or return ""'
        case _, list() if field.startswith("headers["):
            return (
                "for several values turn on lambda.multi_value_headers.enabled of the target "
                "group, and return multiValueHeaders"
            )
        case _, int() | float() if field.startswith("headers["):
            return "make it text"
        case _, str() if field.startswith("multiValueHeaders["):
            return "put it into an array"
        case "isBase64Encoded", "true" | "false":
            return "leave the quotes away"
    return ""


def near(text: str, position: int, shown: int = 20) -> str:
    """Return what of `text` is at `position`, where it ceases to be JSON, and what that means."""
    before, after = text[max(0, position - shown) : position], text[position : position + shown]
    found = f"near {orjson.dumps(before + after).decode()}"
    word = next((word for word in _NOT_JSON if after.startswith(word)), None)
    return f"{found}; JSON has no {word}" if word else found
