"""Refuse what a web page sends: a page open in a browser of this machine could else run code here.

A browser names the page's site in `Origin` where the page sends something, and with whatever a page
has it load, an image say, it tells in `Sec-Fetch-Site` that this is another site's: a GET can be a
call of the Query APIs. A page that has its own name resolve to the loopback address (DNS rebinding)
shows in Host.
"""

import ipaddress
from collections.abc import Mapping


def refusal(headers: Mapping[str, str], *, is_loopback: bool) -> str | None:
    """Return why a request is refused, for its sender, or None. Header names are in lower case.

    `is_loopback`: the API is served to this machine alone, so Host can only be a name of its own.
    """
    if "origin" in headers:
        return "Calls from web pages are refused: this one has an Origin header."
    if headers.get("sec-fetch-site", "none") != "none":  # none: a person has typed the address
        return "Calls from web pages are refused: Sec-Fetch-Site says that this is one."
    host = headers.get("host", "")
    if is_loopback and not _is_local(host):
        return f"The API is served on the loopback address only, and {host!r} is not a name of it."
    return None


def _is_local(host: str) -> bool:
    name = host.rpartition("]")[0].removeprefix("[") or host.partition(":")[0]
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
