"""Every setting of the server: one frozen dataclass.

Its fields' docs are docs/configuration.md and the options of `albatross serve --help`.
Standard library only: the supervisor imports this module and stays small.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from albatross.setting import (
    are_leniencies,
    are_ports,
    are_quotas,
    declare,
    is_address,
    is_network,
    matches,
    number,
    one_of,
)

ENVIRONMENT_PREFIX = "ALBATROSS_"
EXIT_CANNOT_BOOT = 3  # a process that says so is not replaced: the server stops


def _data_home() -> str:
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(home, "albatross")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What `albatross run` serves: one function behind one load balancer."""

    directory: str
    handler: str
    runtime: str
    port: int
    multi_value_headers: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    timeout_s: int = 30
    memory_mb: int = 128
    concurrency: int | None = None
    verbose: bool = False
    colour: bool = False
    as_json: bool = False
    debug_port: int | None = None
    forwarded_port: int | None = None  # the listener's, where `port` only stands in for it
    ends_with_input: bool = False  # the server is another command's, at the other end


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one server."""

    port: int = declare(
        4566,
        "Port of the AWS API. 0 takes a free one.",
        check=number(0, 65_535),
        flag=True,
        metavar="PORT",
    )
    bind: str = declare(
        "127.0.0.1",
        "IP address on which the API and the load balancers listen. Anyone who reaches the API may "
        "run code here: another address than one of the loopback needs `auth` or "
        "`allow_unauthenticated`.",
        check=is_address,
        flag=True,
        metavar="ADDRESS",
    )
    auth: str = declare(
        "",
        "File of access keys, in the format of ~/.aws/credentials. With it, API calls must be "
        "signed with one of them; docs/security.md says more.",
        flag=True,
        metavar="FILE",
        shown="signatures are not verified",
    )
    allow_unauthenticated: bool = declare(
        False,
        "Let whoever reaches the API use it, though `bind` is not a loopback address and there is "
        "no `auth`.",
        flag=True,
    )
    data_dir: str = declare(
        _data_home,
        "Directory of everything that survives a restart. One server at a time uses it.",
        flag=True,
        metavar="DIRECTORY",
        shown="$XDG_DATA_HOME/albatross, or ~/.local/share/albatross",
    )
    database: str = declare(
        "",
        "URL of a PostgreSQL database for all resources, for example "
        "postgresql://albatross@127.0.0.1:5432/albatross. Packages, keys and logs stay in "
        "`data_dir`. One server at a time uses it.",
        check=matches(r"postgres(ql)?://\S+", "a URL such as postgresql://USER@HOST:5432/DATABASE"),
        flag=True,
        metavar="URL",
        shown="SQLite, `state.db` in `data_dir`",
        secret=True,
    )
    logs_dir: str = declare(
        "",
        "Directory in which each bucket of access logs is a directory.",
        metavar="DIRECTORY",
        shown="`s3` in `data_dir`",
    )
    log_interval_s: int = declare(
        300,
        "Seconds between log files of a load balancer.",
        check=number(1, 3_600),
    )
    log_group_mb: int = declare(
        256,
        "Most megabytes of events that a log group of CloudWatch Logs keeps; beyond that the "
        "oldest go.",
        check=number(8, 1_000_000),
    )
    log_groups_mb: int = declare(
        2048,
        "Most megabytes of events that all log groups keep.",
        check=number(16, 10_000_000),
    )
    s3_endpoint: str = declare(
        "",
        "URL of the S3 endpoint from which functions and layers read their code (S3Bucket), and "
        "trust stores certificate bundles and revocation lists, for example "
        "http://127.0.0.1:9000. Credentials are those of the environment.",
        check=matches(r"https?://[^/?#\s]+/?", "a URL such as http://127.0.0.1:9000"),
    )
    hot_reload: str = declare(
        "loopback",
        "When code of the S3 bucket `hot-reload` is run from the directory of this machine that "
        "its key names: `loopback`, while `bind` is a loopback address, `always`, or `never`.",
        check=one_of("loopback", "always", "never"),
    )
    region: str = declare(
        "us-east-1",
        "Region of requests whose signature names none.",
        check=matches(r"[a-z]{2}(-[a-z]+)+-\d", "the name of a Region, for example us-east-1"),
        flag=True,
        metavar="REGION",
    )
    account: str = declare(
        "123456789012",
        "Account of requests whose access key id is not itself an account number.",
        check=matches(r"\d{12}", "12 digits (in albatross.toml: between quotes)"),
    )
    strict: bool = declare(
        False,
        "Refuse what AWS refuses even where published walk-throughs do it, for example "
        "`create-target-group --target-type lambda --protocol HTTP`. What else: docs/strict.md.",
        flag=True,
    )
    lenient: str = declare(
        "",
        "Names, separated by commas, of what is taken although AWS refuses it and `strict` is on, "
        "for example `loopback-targets`.",
        check=are_leniencies,
    )
    log_level: str = declare(
        "info",
        "Least level of the server's own log lines: debug, info, warning or error.",
        check=one_of("debug", "info", "warning", "error"),
        flag=True,
        metavar="LEVEL",
    )
    debug_headers: bool = declare(
        False,
        "Tell clients in the headers `x-albatross-error-reason` and `x-albatross-error-detail` why "
        "a request failed. They may name what is in your code.",
        flag=True,
    )
    debug: dict[str, int] = declare(  # noqa: RUF009
        dict,
        "Functions that are run under a debugger, and the port of each on which it listens, for "
        "example `orders=5678`: docs/debugging.md. In albatross.toml a table `[debug]`. No idle "
        "timeout ends requests to functions meanwhile.",
        check=are_ports,
        flag=True,
        metavar="NAME=PORT",
        shown="none",
    )
    debug_wait: bool = declare(
        False,
        "Functions under a debugger wait until one has attached before they load their code.",
        flag=True,
    )
    hosts_file: str = declare(
        "",
        "File in which to keep the load balancers' names current, between two marks, for example "
        "/etc/hosts.",
        flag=True,
        metavar="PATH",
    )
    addresses: str = declare(
        "",
        "IPv4 network out of which each load balancer gets an address of its own, for example "
        "127.0.0.0/24 (Linux). Without it all listen on `bind` and share ports, "
        "told apart by the name in Host.",
        check=is_network,
        flag=True,
        metavar="CIDR",
    )
    lambda_idle_timeout: str = declare(
        "answer",
        "What happens at the load balancer's idle timeout while a function works: `answer` with "
        "504, or `ignore` it and wait for the function.",
        check=one_of("answer", "ignore"),
    )
    publish_wait_s: float = declare(
        1.0,
        "Longest time in seconds for which an API call waits until its change is in effect before "
        "it answers.",
        check=number(0, 60),
    )
    environments_max: int = declare(
        200,
        "Most execution environments (processes of functions) at one time, over all functions.",
        check=number(1, 10_000),
    )
    environment_idle_s: float = declare(
        300.0,
        "Seconds after which an execution environment without work is stopped.",
        check=number(1, 86_400),
    )
    isolation: str = declare(
        "auto",
        "What keeps functions apart (docs/security.md): `none`; `user`, a user id of its own for "
        "each environment; `bwrap`, a sandbox of bubblewrap; `auto`, `user` if the server is root.",
        check=one_of("auto", "none", "user", "bwrap"),
        flag=True,
        metavar="LEVEL",
    )
    first_uid: int = declare(
        100_000,
        "First of the 20,000 user ids that environments run as, one each.",
        check=number(1_000, 2**31),
    )
    memory_unlimited: str = declare(
        "",
        "Names of functions, separated by commas and with `*` for any text, that are not ended "
        "when they use more memory than they have.",
    )
    freeze: bool = declare(
        False,
        "Stop the processes of a function between invocations, as AWS does.",
    )
    opt_dir: str = declare(
        "",
        "Directory that functions without layers find as /opt. Programs in its `extensions` are "
        "started with each environment.",
        metavar="DIRECTORY",
    )
    python_template: bool = declare(
        True,
        "Functions in the Python that runs the server are forks of one process that has imported "
        "AWS's runtime client, and so start in less than half the time (Linux). Off: each has an "
        "interpreter started for it.",
    )
    function_endpoints: bool = declare(
        True,
        "The AWS SDKs of functions find the services of this server here, Lambda among them, by "
        "variables such as AWS_ENDPOINT_URL_LAMBDA. Not with `auth`, whose file has no keys of "
        "functions, nor where a function's own variables have AWS_ENDPOINT_URL.",
    )
    pin_cores: bool = declare(
        True,
        "On a machine with two cores, keep the proxy on one and the Lambda host on the other; "
        "functions and other programs go where there is room. Elsewhere without effect.",
    )
    runtime_transport: str = declare(
        "channel",
        "How events reach runtimes that AWS publishes: `channel`, by a socket of their own, or "
        "`http`, by the Lambda Runtime API, as in AWS. Functions see no difference.",
        check=one_of("channel", "http"),
    )
    grace_s: float = declare(
        25.0,
        "Longest time in seconds that requests in flight get to finish when the server stops.",
        check=number(0, 3_600),
    )
    function_url_port: int = declare(
        4567,
        "Port of all function URLs, open once there is one. 0: there are none.",
        check=number(0, 65_535),
        flag=True,
        metavar="PORT",
    )
    async_queue_mb: int = declare(
        256,
        "Most MiB of events of asynchronous invocations that wait for their functions; further "
        "ones are refused with TooManyRequestsException.",
        check=number(1, 65_536),
    )
    async_concurrency: int = declare(
        16,
        "Most events of asynchronous invocations that are worked on at one time, of one function "
        "half as many. Never more than half of `environments_max`.",
        check=number(1, 1_000),
    )
    async_retry_wait_s: float = declare(
        60.0,
        "Seconds until an event is tried again whose function has failed; the second time it is "
        "twice as long.",
        check=number(0, 3_600),
    )
    destinations_endpoint: str = declare(
        "",
        "URL of an AWS API with the queues, topics, event buses and buckets that are destinations "
        "of asynchronous invocations. Credentials are those of the environment.",
        check=matches(r"https?://[^/?#\s]+/?", "a URL such as http://127.0.0.1:9000"),
        shown="what is for them is kept as dead letters",
    )
    envoy_concurrency: int = declare(
        0,
        "Worker threads of the proxy. 0: one for every two cores that the server may use.",
        check=number(0, 256),
    )
    ec2_endpoint: str = declare(
        "",
        "URL of an EC2 API that knows the private addresses of instances that are registered as "
        "targets and not in the table `instances`.",
        check=matches("https?://.+", "a URL, for example http://127.0.0.1:5000"),
    )
    quotas: dict[str, int] = declare(  # noqa: RUF009
        dict,
        "Quotas other than AWS's default ones, for example `rules-per-application-load-balancer`; "
        "all names: docs/strict.md. In albatross.toml a table `[quotas]`; in the variable "
        "`NAME=200,NAME=100`.",
        check=are_quotas,
        shown="none",
    )
    # The table `[instances]` of albatross.toml: addresses of instances by id.
    instances: Mapping[str, str] = field(default_factory=dict)
    # The table `[remote_functions]`: see model/remote.py.
    remote_functions: Mapping[str, Any] = field(default_factory=dict)
    run: RunSpec | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def database_url(self) -> str:
        """The URL of the database in use."""
        return self.database or "sqlite:///" + os.path.join(self.data_dir, "state.db")

    @property
    def log_files(self) -> str:
        """The directory of the log files."""
        return self.logs_dir or os.path.join(self.data_dir, "s3")

    @property
    def may_hot_reload(self) -> bool:
        """Whether an API call may have a directory of this machine run as a function."""
        return self.hot_reload == "always" or (self.hot_reload == "loopback" and self.is_loopback)

    @property
    def is_loopback(self) -> bool:
        return self.bind == "::1" or self.bind.startswith("127.")


def from_json(text: str) -> Config:
    """Return the Config of which `text` is the `to_json()`."""
    values = json.loads(text)
    run = values.pop("run")
    return Config(**values, run=RunSpec(**run) if run else None)


def settings() -> "tuple[Field[Any], ...]":
    """Return the fields of Config that a user sets."""
    return tuple(field for field in fields(Config) if "doc" in field.metadata)
