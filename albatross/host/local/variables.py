"""The environment variables of a function's process."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from albatross.host.environment import Environment
from albatross.host.local import layers, runtimes
from albatross.host.observe.framing import VARIABLE as FRAMES
from albatross.model.function import LEVELS

_ENDPOINT = "AWS_ENDPOINT_URL"
# The ids of the services that are served here, as SDKs write them in names of variables.
SERVICE_IDS = ("ACM", "CLOUDWATCH_LOGS", "ELASTIC_LOAD_BALANCING_V2", "LAMBDA", "STS")
_LIBRARIES = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib"
_UNRESERVED = {"LANG": "en_US.UTF-8", "TZ": ":UTC"}


def of_template() -> dict[str, str]:
    """Return what a Python interpreter's start sees of the variables of a function."""
    return {
        **_UNRESERVED,
        "LD_LIBRARY_PATH": _LIBRARIES,
        "PYTHONPATH": runtimes.RUNTIME_DIR,
        "HOME": "/tmp",
    }


def variables(
    environment: Environment,
    runtime: runtimes.Runtime,
    task_root: Path,
    opt: Path | None,
    *,
    port: int,
    api_url: str,
) -> dict[str, str]:
    """Return the variables of a function's process. Source: Lambda guide, environment variables.

    The reserved ones, the user's own, and nothing of the host's. `port`: of its Runtime API. The
    credentials are worth nothing anywhere but at `api_url`, our own API: the access key names the
    function's account.
    """
    function = environment.function
    _, _, _, region, account, *_ = function.arn.split(":")
    provided = function.runtime.startswith("provided")
    shown = opt or layers.OPT
    unreserved = {
        **_UNRESERVED,
        "PATH": f"/usr/local/bin:/usr/bin/:/bin:{shown}/bin",
        "LD_LIBRARY_PATH": f"{_LIBRARIES}:{task_root}:{task_root}/lib:{shown}/lib",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        # differs from AWS: no X-Ray daemon listens where AWS_XRAY_DAEMON_ADDRESS says, so what is
        # traced is lost.
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        **_endpoints(api_url, function.environment),
    }
    reserved = {
        "_HANDLER": function.handler,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": environment.initialization_type,
        "AWS_LAMBDA_LOG_GROUP_NAME": environment.journal.log.group.name,
        "AWS_LAMBDA_LOG_STREAM_NAME": environment.journal.log.name,
        "AWS_ACCESS_KEY": account,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        "AWS_SESSION_TOKEN": secrets.token_urlsafe(60),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_METADATA_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_METADATA_TOKEN": environment.metadata_token,
        # differs from AWS: where the system has no mount namespaces (macOS, some containers), code
        # lies where LAMBDA_TASK_ROOT says, not in /var/task, and layers where PATH, PYTHONPATH and
        # NODE_PATH say, not in /opt; so do layers where an interpreter is in /opt. Nothing is in
        # /var/runtime.
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    # differs from AWS: a function runs on the processor that this machine has, whatever its
    # architecture.
    if not provided:
        reserved["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{function.runtime}"
        reserved[FRAMES] = "1"
    if function.logging.is_json:
        reserved["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        reserved["AWS_LAMBDA_LOG_LEVEL"] = LEVELS[function.logging.application_level]
    of_layers = layers.variables(function, runtime.variables, opt) if opt else {}
    return {**unreserved, **function.environment, **runtime.variables, **of_layers, **reserved}


def _endpoints(api_url: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which SDKs find the services that are served here.

    None where the user has said where services are: for a service, an SDK would take ours. Source:
    AWS SDKs and Tools guide, "Service-specific endpoints".
    """
    # differs from AWS: variables AWS_ENDPOINT_URL_SERVICE lead the SDKs of functions to this
    # server for the services that it has, unless the function's AWS_ENDPOINT_URL is set.
    if not api_url or _ENDPOINT in given:
        return {}
    return {f"{_ENDPOINT}_{service_id}": api_url for service_id in SERVICE_IDS}
