"""The names by which Envoy's resources and our internal headers go. No other module makes one."""

LAMBDA_CLUSTER = "lambda"
LUA_FILTER = "envoy.filters.http.lua"  # also the key of a route's parameters for the script
TARGET_GROUP_HEADER = "x-albatross-target-group"
CONNECTION_HEADER = "x-albatross-connection"
SIZE_HEADER = "x-albatross-size"  # of the request's headers, in bytes; for the script alone
METHOD_HEADER = "x-albatross-method"  # the client's, where another stands in for it
ERROR_HEADER = "x-albatross-error"  # the Lambda host's, of answers that are no function's
INTERNAL_HEADER_PREFIX = "x-albatross-"

ERROR_FILTER = "error-reason"
RESPONSE_HEADERS_FILTER = "response-headers"
RUNTIME = "switches"  # Envoy's runtime, as far as we set it

# What is noted for the access log: of a route by CHOICE, of a request by the others.
METADATA = "albatross"
CHOICE = "choice"
ERROR = "error"
ORIGINAL_HOST, ORIGINAL_PATH = "original-host", "original-path"  # before a rule's transforms
TRANSFORM_STATUS = "transform-status"


def socket(address: str, port: int) -> str:
    """Return the name of the listener on `address` and `port`, and of its route table."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
