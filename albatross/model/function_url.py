"""Function URLs: a function behind a name of its own. Source: Lambda API,
`CreateFunctionUrlConfig`; Lambda guide, "Creating and managing Lambda function URLs".
"""

from dataclasses import dataclass

NONE, IAM = "NONE", "AWS_IAM"  # authentication types


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """What browsers may do with a function URL from pages of other origins.

    None: not said; that is shown in another way than what is said to be empty.
    """

    allow_credentials: bool | None = None
    allow_headers: tuple[str, ...] | None = None
    allow_methods: tuple[str, ...] | None = None
    allow_origins: tuple[str, ...] | None = None
    expose_headers: tuple[str, ...] | None = None
    max_age_s: int | None = None  # 0..86400


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrl:
    """The function URL of a function's $LATEST or of an alias. `id` never changes."""

    id: str  # 32 lower-case letters and digits
    auth_type: str  # NONE or AWS_IAM
    created_at: str  # as the API shows it
    modified_at: str
    cors: Cors | None = None
    streams: bool = False  # InvokeMode RESPONSE_STREAM

    def host(self, region: str) -> str:
        """Return the name by which it is reached; all names below localhost are this machine."""
        # differs from AWS: a function URL is http://ID.lambda-url.REGION.localhost:PORT/, not
        # https://ID.lambda-url.REGION.on.aws/.
        return f"{self.id}.lambda-url.{region}.localhost"


def id_of_host(host: str) -> str:
    """Return the id of the function URL whose name a request's Host may be."""
    return host.partition(".")[0].lower()
