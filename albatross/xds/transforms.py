"""A rule's transforms: RE2 on Host and URL, when a target is about to be asked.

The first script lays out what to look at, in headers of ours. A filter evaluates an expression on
it and adds the outcome in another header, which the second script (`lua/transform.lua`) applies.

Source: ALB user guide, "Transforms for listener rules".
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import assert_never

from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua, LuaPerRoute

from albatross.model.rule import HostHeaderRewrite, Transform, UrlRewrite
from albatross.xds import names
from albatross.xds.packing import extension, packed

_SCRIPT = (Path(__file__).parent / "lua" / "transform.lua").read_text()
_NAME = "transform"
_OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
_GROUP = re.compile(r"\\|\$([0-9])")


@cache
def transform_filters() -> tuple[dict[str, object], ...]:
    """Return the filters, which do nothing but on routes that `transform` has seen."""
    script = Lua(
        source_codes={_NAME: {"inline_string": _SCRIPT}}, clear_route_cache={"value": False}
    )
    return (
        extension(names.REWRITE_FILTER, HeaderMutation()),
        extension(names.TRANSFORM_FILTER, script),
    )


# AWS is silent: transforms of a rule that redirects, or has a fixed response, have no effect.
def transform(route: Route, transforms: Iterable[Transform]) -> dict[str, str]:
    """Have requests on `route` transformed, and return the first script's parameters."""
    mutations, parameters = Mutations(), {}
    for one in transforms:
        match one:
            case HostHeaderRewrite():
                # AWS is silent: a host-header-rewrite sees Host without a port; what it makes of
                # it is sent as it is.
                subject, outcome = names.HOST_HEADER, names.NEW_HOST_HEADER
                parameters["rewrites_host"] = "true"
            case UrlRewrite():
                # AWS is silent: a url-rewrite sees the path as rules do, and the query after it.
                subject, outcome = names.URL_HEADER, names.NEW_URL_HEADER
                parameters["rewrites_url"] = "true"
            case _:
                assert_never(one)
        value = f"%CEL({_outcome(subject, one.regex, one.replace)})%"
        mutations.request_mutations.add(
            append={"header": {"key": outcome, "value": value}, "append_action": _OVERWRITE}
        )
    if parameters:
        rewrite = HeaderMutationPerRoute(mutations=mutations)
        route.typed_per_filter_config[names.REWRITE_FILTER].CopyFrom(packed(rewrite))
        restore_path(route)
    return parameters


def restore_path(route: Route) -> None:
    """Have the second script run on `route`. Where the first has left a path of its own for the
    choice of the route, the second puts the client's back.
    """
    apply = LuaPerRoute(name=_NAME)
    route.typed_per_filter_config[names.TRANSFORM_FILTER].CopyFrom(packed(apply))


# AWS is silent: of several matches in a URL or host only the first is replaced.
def _outcome(subject: str, regex: str, replace: str) -> str:
    """Return the expression for what precedes the first match, the match and its replacement.

    They are separated by spaces, which a URL or host has not. Without a match it is `!`.
    """
    text = f"request.headers[{_literal(subject)}]"
    before = f"re.capture({text}, {_literal(f'(?s)^(.*?)(?:{regex}).*$')})"
    whole = _literal(r"\0 " + _GROUP.sub(_in_rewrite, replace))
    replaced = f"re.extract({text}, {_literal(regex)}, {whole})"
    found = f"{_literal('=')} + {before} + {_literal(' ')} + {replaced}"
    return f"{text}.matches({_literal(regex)}) ? {found} : {_literal('!')}"


def _in_rewrite(match: re.Match[str]) -> str:
    """Return a group or a backslash as RE2 writes it in a replacement."""
    return r"\\" if match[1] is None else rf"\{match[1]}"


def _literal(text: str) -> str:
    """Return `text` as a string of the expression. Nothing in it can end the string or more."""
    plain = (c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(plain)}"'
