"""The Lambda host's process as the server starts it: with what knows the callers of function URLs.

`python -m albatross.lambda_host --run-dir DIR --config FILE`
"""

from collections.abc import Mapping
from typing import Any

from albatross.host.__main__ import main
from albatross.host.urls.app import Authenticate, NotAuthenticated
from albatross.host.urls.event import Caller

_SERVICE = "lambda"  # the signing name for function URLs


def authenticator(config: Mapping[str, Any]) -> Authenticate | None:
    """Return what verifies signatures with the keys in the file `auth`; None without one."""
    if not config["auth"]:
        return None
    from albatross.aws.access_keys import KeyFile  # memory: most servers verify nothing
    from albatross.aws.errors import Refused
    from albatross.aws.http import Request
    from albatross.aws.signature import sent
    from albatross.aws.verify import Verifier
    from albatross.model.arn import Scope

    verifier = Verifier(KeyFile(config["auth"]).keys)
    default = Scope(config["account"], config["region"])

    def authenticate(
        method: str, target: str, lines: list[tuple[bytes, bytes]], body: bytes
    ) -> Caller:
        path, _, query = target.partition("?")
        sent_lines = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in lines
        )
        headers: dict[str, str] = {}
        for name, value in sent_lines:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        request = Request(method, path, query, headers, body, sent_lines)
        if "authorization" not in headers and "X-Amz-Signature" not in query:
            raise NotAuthenticated
        try:
            caller, _ = verifier.verify(request, default, _SERVICE)
            key_id = sent(request).credential.partition("/")[0]
        except Refused as refused:
            raise NotAuthenticated(refused.error("rest-json").message) from refused
        return Caller(account=caller.scope.account, access_key=key_id)

    return authenticate


if __name__ == "__main__":
    main(authenticator)
