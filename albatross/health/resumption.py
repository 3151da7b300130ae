"""What one check over TLS leaves to the next one of the same target."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # memory: most servers check no target over TLS
    from OpenSSL import SSL


@dataclass(slots=True, eq=False)
class Resumption:
    """At most one session, some KB: where the target knows it too, no certificate is looked at."""

    session: "SSL.Session | None" = None
    any_version: bool = False  # what to offer first; else TLS 1.2 alone
