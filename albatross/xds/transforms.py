"""A rule's transforms: RE2 on Host and URL, when a target is about to be asked.

The first script lays out what to look at, in headers of ours. A filter notes what expressions find
in them, as metadata, and the second script (`lua/transform.lua`) puts that together.

Source: ALB user guide, "Transforms for listener rules".
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import assert_never

from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.http.header_to_metadata.v3.header_to_metadata_pb2 import (
    Config as HeaderToMetadata,
)
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua, LuaPerRoute

from albatross.model.rule import HostHeaderRewrite, Transform, UrlRewrite
from albatross.xds import names, patterns
from albatross.xds.packing import extension, packed

_SCRIPT = (Path(__file__).parent / "lua" / "transform.lua").read_text()
_NAME = "transform"
_REFERENCE = re.compile(r"\$([0-9])|\\|[^!-~]")


@cache
def transform_filters() -> tuple[dict[str, object], ...]:
    """Return the filters, which do nothing but on routes that `transform` has seen."""
    script = Lua(
        source_codes={_NAME: {"inline_string": _SCRIPT}}, clear_route_cache={"value": False}
    )
    return (
        extension(names.REWRITE_FILTER, HeaderToMetadata()),
        extension(names.TRANSFORM_FILTER, script),
    )


# AWS is silent: functions see the URL and the host that transforms have made, as servers do.
# AWS is silent: transforms of a rule that redirects, or has a fixed response, have no effect.
def transform(route: Route, transforms: Iterable[Transform]) -> dict[str, str]:
    """Have requests on `route` transformed, and return the first script's parameters."""
    config, parameters = HeaderToMetadata(), {}
    for one in transforms:
        if not patterns.is_known(one.regex):
            continue  # of an older version: or Envoy would refuse all rules of the table
        match one:
            case HostHeaderRewrite():
                # AWS is silent: a host-header-rewrite sees Host without a port, and counts case;
                # what it makes of it is sent as it is.
                subject = names.HOST_HEADER
                parameters["rewrites_host"] = "true"
            case UrlRewrite():
                # AWS is silent: a url-rewrite sees the path as rules do, and the query after it.
                subject = names.URL_HEADER
                parameters["rewrites_url"] = "true"
            case _:
                assert_never(one)
        for key, (pattern, substitution) in _findings(one.regex, one.replace).items():
            found = {
                "metadata_namespace": names.TRANSFORM_METADATA,
                "key": f"{subject}-{key}",
                "type": "STRING",
                "regex_value_rewrite": {
                    "pattern": {"regex": pattern},
                    "substitution": f"={substitution}",
                },
            }
            config.request_rules.add(header=subject, on_header_present=found)
    if parameters:
        route.typed_per_filter_config[names.REWRITE_FILTER].CopyFrom(packed(config))
        restore_path(route)
    return parameters


def restore_path(route: Route) -> None:
    """Have the second script run on `route`. Where the first has left a path of its own for the
    choice of the route, the second puts the client's back.
    """
    apply = LuaPerRoute(name=_NAME)
    route.typed_per_filter_config[names.TRANSFORM_FILTER].CopyFrom(packed(apply))


# AWS is silent: of several matches in a URL or host only the first is replaced.
def _findings(regex: str, replace: str) -> dict[str, tuple[str, str]]:
    """Return, for the first match of `regex`, expressions for whole values and what to make of one:
    what stands before the match, what stands after it, and what replaces it.
    """
    bare = patterns.without_groups(regex)
    return {
        "before": (f"(?s)^(.*?)(?:{bare}).*$", r"\1"),
        "after": (f"(?s)^.*?(?:{bare})(.*)$", r"\1"),
        "instead": (f"(?s)^.*?(?:{patterns.closed(regex)}).*$", _substitution(regex, replace)),
    }


def _substitution(regex: str, replace: str) -> str:
    """Return `replace` as RE2 writes it, but with a space for the whole match (`$0`).

    A `#`, which no URL or host may have, stands for what makes the outcome none: a group that
    `regex` has not, and a character that is not visible ASCII.
    """
    groups = patterns.group_count(regex)

    def in_rewrite(match: re.Match[str]) -> str:
        if match[0] == "\\":
            return r"\\"
        if match[1] is None or int(match[1]) > groups:
            return "#"
        return rf"\{match[1]}" if match[1] != "0" else " "

    return _REFERENCE.sub(in_rewrite, replace)
