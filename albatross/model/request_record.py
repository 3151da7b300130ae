"""What the proxy notes of each request: the raw material of access logs.

The proxy writes a `Record` as one line, its fields between `SEPARATOR`s. No field can hold a
separator or a line end: the proxy refuses requests and responses with control characters, and
masks those in the server name of a TLS handshake.
"""

from functools import lru_cache
from typing import NamedTuple

SEPARATOR = "\x1f"
ABSENT = "-"
CERTIFICATE_END = "#"
# The Lambda host's answers that are no function's carry the error reason of the access log, or
# this where there is none.
NO_REASON = "none"
_KEPT_MAX = 4096  # texts of entrances and of choices, which come again and again


class Entrance(NamedTuple):
    """The oldest load balancer of a socket: requests refused before a rule is chosen are its."""

    load_balancer: str  # ARN
    dns_name: str
    protocol: str  # http | https
    port: str  # the listener's, wherever it really listens

    def text(self) -> str:
        return " ".join(self)

    @classmethod
    @lru_cache(_KEPT_MAX)
    def of(cls, text: str) -> "Entrance":
        """Return what `text` says."""
        return cls._make(text.split(" "))


class Choice(NamedTuple):
    """The rule that was chosen, in the words of the access log. No field has a space."""

    load_balancer: str  # ARN
    protocol: str
    port: str
    priority: str  # 0: the default rule
    actions: str  # such as forward; several are joined by commas
    target_group: str  # ARN, ABSENT where there is none or more than one to choose from

    def text(self) -> str:
        return " ".join(self)

    @classmethod
    @lru_cache(_KEPT_MAX)
    def of(cls, text: str) -> "Choice | None":
        """Return what `text` begins with; None where nothing was chosen."""
        return None if text.startswith(ABSENT) else cls._make(text.split(" ")[: len(cls._fields)])


NO_CHOICE = Choice(ABSENT, ABSENT, ABSENT, "0", ABSENT, ABSENT)


class Record(NamedTuple):
    """One request. What the proxy does not know is ABSENT. Times are microseconds as text."""

    entrance: str
    choice: str  # the text of a Choice, and what may come after it
    logged_at: str  # ISO 8601, microseconds, Z
    started_at: str  # ISO 8601, milliseconds, without a zone
    client: str  # address:port
    node: str  # address
    connection: str  # counts the proxy's connections
    target: str  # address:port, or the path of the Lambda host's socket
    received_us: str  # from the first byte of the request to: its last byte
    sent_us: str  # ... the first byte to the target
    sent_all_us: str  # ... the last byte to the target
    answered_us: str  # ... the first byte from the target
    answering_us: str  # ... the first byte to the client
    status: str  # 0: nothing was sent
    flags: str  # Envoy's, why it answered by itself
    details: str  # Envoy's, how it came to the status
    received_bytes: str
    sent_bytes: str
    method: str
    host: str
    path: str
    version: str  # HTTP/1.1
    upgrade: str
    content_type: str
    classification: str  # of http_desync_guardian and, after a space, its reason
    user_agent: str
    tls_cipher: str
    tls_version: str
    server_name: str
    certificate: str  # ARN; after CERTIFICATE_END it may go on
    certificate_names: str  # of the certificate that was shown, joined by commas
    trace_id: str
    location: str  # of the response
    error: str  # an error reason of the access log, or NO_REASON
    original_host: str  # these two: before a rule's transforms
    original_path: str
    transform_status: str


def parse(text: str) -> Record | None:
    """Return the Record of a line without its end, None for what is none."""
    fields = text.split(SEPARATOR)
    return Record._make(fields) if len(fields) == len(Record._fields) else None
