"""The script of all requests, and what stands before it for ordinary ones.

`native/ordinary.c` does for them what `lua/request.lua` would, in half the time at most. It is
compiled when Albatross is installed, where there is a C compiler (`hatch_build.py`); without it,
every request goes through the script.
"""

import ctypes
import logging
import os
from functools import cache
from pathlib import Path

from envoy.extensions.common.matching.v3.extension_matcher_pb2 import ExtensionWithMatcher
from envoy.extensions.filters.http.composite.v3.composite_pb2 import Composite, ExecuteFilterAction
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from google.protobuf.struct_pb2 import Struct
from xds.type.v3.typed_struct_pb2 import TypedStruct

from albatross.xds import names
from albatross.xds.packing import extension

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
_SCRIPT = (_FOLDER / "lua" / "request.lua").read_text()
_MODULE = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter"


@cache
def library(path: Path = _FOLDER / "native" / "ordinary.so") -> Path | None:
    """Return the file that Envoy loads, None where there is none that it can load."""
    if not path.exists():
        return None
    try:
        ctypes.CDLL(str(path), mode=os.RTLD_LAZY)  # what it calls, only Envoy has
    except OSError as error:  # of another platform, as where a folder is shared
        log.warning("Requests go without their shortcut, a little slower: %s", error)
        return None
    return path


def script_filters(shortcut: Path | None) -> list[dict[str, object]]:
    """Return the filters that do to a request what Envoy's own settings cannot.

    `shortcut`: the file with the module for ordinary requests, None for the script alone.
    """
    source = {"inline_string": _SCRIPT}
    script = Lua(default_source_code=source, clear_route_cache={"value": False})
    if shortcut is None:
        return [extension(names.LUA_FILTER, script)]
    return [
        extension("ordinary", _ordinary(shortcut)),
        extension(names.LUA_FILTER, _for_others(script)),
    ]


def _ordinary(library: Path) -> TypedStruct:
    value = Struct()
    value.update(
        {
            "dynamic_module_config": {
                "module": {"local": {"filename": str(library)}},
                "do_not_close": True,  # it stays while listeners come and go
            },
            "filter_name": "ordinary",
        }
    )
    return TypedStruct(type_url=_MODULE, value=value)


def _for_others(script: Lua) -> ExtensionWithMatcher:
    """Return `script` for requests that still have the header that ordinary ones have lost."""
    header = HttpRequestHeaderMatchInput(header_name=names.SIZE_HEADER)
    is_there = {
        "input": extension("header", header),
        "value_match": {"contains": " "},  # between the parts of its value
    }
    run = ExecuteFilterAction(typed_config=extension(names.LUA_FILTER, script))
    matcher = {
        "predicate": {"single_predicate": is_there},
        "on_match": {"action": extension("run", run)},
    }
    return ExtensionWithMatcher(
        extension_config=extension("composite", Composite()),
        xds_matcher={"matcher_list": {"matchers": [matcher]}},
    )
