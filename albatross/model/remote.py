"""Functions that run elsewhere: in AWS Lambda, or wherever its Invoke API is spoken.

The table `remote_functions` of albatross.toml: patterns of ARNs, and where their functions are.
Standard library only: settings are read by processes that stay small.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache

AWS = "aws"  # as an endpoint: that of the function's Region
ENVIRONMENT = "environment"  # as credentials: those that the server's own environment has
_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9*?-]+):([0-9*?]+):function:[\w*?:$-]+")
_URL = re.compile(r"https?://[^/?#\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where the functions are whose ARN matches `pattern`, and how calls there are signed.

    `region`: that of the signature; empty: the function's. `name`: by which the endpoint calls the
    function; empty: its own. `profile` of ~/.aws/config, or `credentials`; without either a key
    that is worth nothing outside of servers like this one.
    """

    pattern: str  # with * and ?
    endpoint: str
    region: str = ""
    name: str = ""
    profile: str = ""
    credentials: str = ""

    def url(self, region: str) -> str:
        """Return the URL of the API for functions of `region`."""
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return self.endpoint if self.endpoint != AWS else f"https://lambda.{region}.{domain}"


@dataclass(frozen=True, slots=True)
class RemoteFunctions:
    """All of them; of several patterns that match the first counts."""

    remotes: tuple[Remote, ...] = field(default=())

    def find(self, arn: str) -> Remote | None:
        """Return where the function is, `arn` being qualified or not. None: here or nowhere."""
        if not self.remotes:
            return None
        unqualified = ":".join(arn.split(":")[:7])
        for remote in self.remotes:
            pattern = _compiled(remote.pattern)
            if pattern.fullmatch(arn) or pattern.fullmatch(unqualified):
                return remote
        return None


NO_REMOTES = RemoteFunctions()


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.compile("".join({r"\*": ".*", r"\?": "."}.get(part, part) for part in parts))


def parse(table: object) -> RemoteFunctions:
    """Return what the table says, pattern -> members of `Remote`. Raises ValueError."""
    if not isinstance(table, Mapping):
        raise ValueError("must be a table of patterns, each a table with an endpoint")
    return RemoteFunctions(tuple(_remote(pattern, given) for pattern, given in table.items()))


def _remote(pattern: str, given: object) -> Remote:
    if not _ARN.fullmatch(pattern):
        raise ValueError(
            f"{pattern!r} is not the ARN of a function, in which * and ? may stand for text: "
            "arn:aws:lambda:eu-west-1:123456789012:function:*"
        )
    if isinstance(given, str):
        given = {"endpoint": given}
    known = {each.name for each in fields(Remote)} - {"pattern"}
    if not isinstance(given, Mapping) or not given.keys() <= known:
        raise ValueError(f"{pattern}: takes {', '.join(sorted(known))}")
    if not all(isinstance(value, str) for value in given.values()):
        raise ValueError(f"{pattern}: all values are text")
    remote = Remote(pattern=pattern, **{"endpoint": "", **given})
    if remote.endpoint != AWS and not _URL.fullmatch(remote.endpoint):
        raise ValueError(
            f"{pattern}: endpoint must be {AWS!r} or a URL such as http://127.0.0.1:4566, "
            f"not {remote.endpoint!r}"
        )
    if remote.credentials not in ("", ENVIRONMENT):
        raise ValueError(f"{pattern}: credentials must be {ENVIRONMENT!r}, or name a profile")
    if remote.profile and remote.credentials:
        raise ValueError(f"{pattern}: either profile or credentials")
    if remote.endpoint == AWS and not (remote.profile or remote.credentials):
        raise ValueError(
            f"{pattern}: AWS wants to know who calls: set profile to the name of one of "
            f"~/.aws/config, or credentials to {ENVIRONMENT!r}"
        )
    return remote
