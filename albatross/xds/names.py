"""The names by which Envoy's resources and our internal headers go. No other module makes one."""

LAMBDA_CLUSTER = "lambda"
LUA_FILTER = "envoy.filters.http.lua"  # also the key of a route's parameters for the script
TARGET_GROUP_HEADER = "x-albatross-target-group"
CONNECTION_HEADER = "x-albatross-connection"
SIZE_HEADER = "x-albatross-size"  # of the request's headers, in bytes; for the script alone
INTERNAL_HEADER_PREFIX = "x-albatross-"


def socket(address: str, port: int) -> str:
    """Return the name of the listener on `address` and `port`, and of its route table."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
