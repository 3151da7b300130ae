"""Every setting of the server: one frozen dataclass.

Its fields' docs are docs/configuration.md and the options of `albatross serve --help`. A setting
comes from a flag, else an `ALBATROSS_*` variable, else `albatross.toml`, else its default.
Standard library only: the supervisor imports this module and stays small.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, get_origin

FILE_NAME = "albatross.toml"
_INSTANCES = "instances"  # a table in it
ENVIRONMENT_PREFIX = "ALBATROSS_"
EXIT_CANNOT_BOOT = 3  # a process that says so is not replaced: the server stops

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "names and whole numbers, as in RULES=200,TARGETS=300 or a table",
}
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ConfigError(Exception):
    """A setting is wrong. The message names the place and the remedy."""


def _number(low: float, high: float) -> Callable[[Any], str | None]:
    def check(value: float) -> str | None:
        return None if low <= value <= high else f"must be from {low:,} to {high:,}"

    return check


def _one_of(*choices: str) -> Callable[[Any], str | None]:
    def check(value: str) -> str | None:
        return None if value in choices else "must be one of " + ", ".join(choices)

    return check


def _matches(pattern: str, words: str) -> Callable[[Any], str | None]:
    def check(value: str) -> str | None:
        return None if re.fullmatch(pattern, value) else f"must be {words}"

    return check


def _is_address(value: str) -> str | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, value)
        except OSError:
            continue
        return None
    return "must be an IP address, for example 127.0.0.1 or 0.0.0.0"


def _is_network(value: str) -> str | None:
    from ipaddress import IPv4Network  # only when asked for: the supervisor stays small

    try:
        network = IPv4Network(value)
    except ValueError:
        return "must be an IPv4 network, for example 127.0.0.0/24"
    return None if network.prefixlen <= 30 else "must have room: a prefix of at most 30 bits"


def _are_quotas(values: dict[str, object]) -> str | None:
    from albatross.model import quotas  # only when there are some

    return next(filter(None, (quotas.fault(*each) for each in values.items())), None)


def _are_leniencies(value: str) -> str | None:
    from albatross.model import leniency  # only when there are some

    return leniency.fault(value)


def _setting(
    default: Any,
    doc: str,
    *,
    check: Callable[[Any], str | None] | None = None,
    flag: bool = False,
    metavar: str = "",
    shown: str = "",
    secret: bool = False,
) -> Any:
    """Return a dataclass field.

    `flag`: `albatross serve` has an option for it. `shown`: its default in words. `secret`: the
    value is never printed.
    """
    metadata = {"doc": doc, "check": check, "flag": flag, "metavar": metavar, "shown": shown}
    metadata["secret"] = secret
    if callable(default):
        return field(default_factory=default, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one server."""

    port: int = _setting(
        4566,
        "Port of the AWS API. 0 takes a free one.",
        check=_number(0, 65_535),
        flag=True,
        metavar="PORT",
    )
    bind: str = _setting(
        "127.0.0.1",
        "IP address on which the API and the load balancers listen. Anyone who reaches the API may "
        "run code here: another address than one of the loopback needs `auth` or "
        "`allow_unauthenticated`.",
        check=_is_address,
        flag=True,
        metavar="ADDRESS",
    )
    auth: str = _setting(
        "",
        "File of access keys, in the format of ~/.aws/credentials. With it, API calls must be "
        "signed with one of them; docs/security.md says more.",
        flag=True,
        metavar="FILE",
        shown="signatures are not verified",
    )
    allow_unauthenticated: bool = _setting(
        False,
        "Let whoever reaches the API use it, though `bind` is not a loopback address and there is "
        "no `auth`.",
        flag=True,
    )
    data_dir: str = _setting(
        _data_home,
        "Directory of everything that survives a restart. One server at a time uses it.",
        flag=True,
        metavar="DIRECTORY",
        shown="$XDG_DATA_HOME/albatross, or ~/.local/share/albatross",
    )
    database: str = _setting(
        "",
        "URL of a PostgreSQL database for all resources, for example "
        "postgresql://albatross@127.0.0.1:5432/albatross. Packages, keys and logs stay in "
        "`data_dir`. One server at a time uses it.",
        check=_matches(
            r"postgres(ql)?://\S+", "a URL such as postgresql://USER@HOST:5432/DATABASE"
        ),
        flag=True,
        metavar="URL",
        shown="SQLite, `state.db` in `data_dir`",
        secret=True,
    )
    logs_dir: str = _setting(
        "",
        "Directory in which each bucket of access logs is a directory.",
        metavar="DIRECTORY",
        shown="`s3` in `data_dir`",
    )
    log_interval_s: int = _setting(
        300,
        "Seconds between log files of a load balancer.",
        check=_number(1, 3_600),
    )
    s3_endpoint: str = _setting(
        "",
        "URL of the S3 endpoint from which trust stores read certificate bundles and revocation "
        "lists, for example http://127.0.0.1:9000. Credentials are those of the environment.",
        check=_matches(r"https?://[^/?#\s]+/?", "a URL such as http://127.0.0.1:9000"),
    )
    region: str = _setting(
        "us-east-1",
        "Region of requests whose signature names none.",
        check=_matches(r"[a-z]{2}(-[a-z]+)+-\d", "the name of a Region, for example us-east-1"),
        flag=True,
        metavar="REGION",
    )
    account: str = _setting(
        "123456789012",
        "Account of requests whose access key id is not itself an account number.",
        check=_matches(r"\d{12}", "12 digits (in albatross.toml: between quotes)"),
    )
    strict: bool = _setting(
        False,
        "Refuse what AWS refuses even where published walk-throughs do it, for example "
        "`create-target-group --target-type lambda --protocol HTTP`. What else: docs/strict.md.",
        flag=True,
    )
    lenient: str = _setting(
        "",
        "Names, separated by commas, of what is taken although AWS refuses it and `strict` is on, "
        "for example `loopback-targets`.",
        check=_are_leniencies,
    )
    log_level: str = _setting(
        "info",
        "Least level of the server's own log lines: debug, info, warning or error.",
        check=_one_of("debug", "info", "warning", "error"),
        flag=True,
        metavar="LEVEL",
    )
    hosts_file: str = _setting(
        "",
        "File in which to keep the load balancers' names current, between two marks, for example "
        "/etc/hosts.",
        flag=True,
        metavar="PATH",
    )
    addresses: str = _setting(
        "",
        "IPv4 network out of which each load balancer gets an address of its own, for example "
        "127.0.0.0/24 (Linux). Without it all listen on `bind` and share ports, "
        "told apart by the name in Host.",
        check=_is_network,
        flag=True,
        metavar="CIDR",
    )
    lambda_idle_timeout: str = _setting(
        "answer",
        "What happens at the load balancer's idle timeout while a function works: `answer` with "
        "504, or `ignore` it and wait for the function.",
        check=_one_of("answer", "ignore"),
    )
    publish_wait_s: float = _setting(
        1.0,
        "Longest time in seconds for which an API call waits until its change is in effect before "
        "it answers.",
        check=_number(0, 60),
    )
    environments_max: int = _setting(
        200,
        "Most execution environments (processes of functions) at one time, over all functions.",
        check=_number(1, 10_000),
    )
    environment_idle_s: float = _setting(
        300.0,
        "Seconds after which an execution environment without work is stopped.",
        check=_number(1, 86_400),
    )
    isolation: str = _setting(
        "auto",
        "What keeps functions apart (docs/security.md): `none`; `user`, a user id of its own for "
        "each environment; `bwrap`, a sandbox of bubblewrap; `auto`, `user` if the server is root.",
        check=_one_of("auto", "none", "user", "bwrap"),
        flag=True,
        metavar="LEVEL",
    )
    first_uid: int = _setting(
        100_000,
        "First of the 20,000 user ids that environments run as, one each.",
        check=_number(1_000, 2**31),
    )
    memory_unlimited: str = _setting(
        "",
        "Names of functions, separated by commas and with `*` for any text, that are not ended "
        "when they use more memory than they have.",
    )
    freeze: bool = _setting(
        False,
        "Stop the processes of a function between invocations, as AWS does.",
    )
    opt_dir: str = _setting(
        "",
        "Directory that functions find as /opt. Programs in its `extensions` are started with "
        "each environment.",
        metavar="DIRECTORY",
    )
    runtime_transport: str = _setting(
        "channel",
        "How events reach runtimes that AWS publishes: `channel`, by a socket of their own, or "
        "`http`, by the Lambda Runtime API, as in AWS. Functions see no difference.",
        check=_one_of("channel", "http"),
    )
    grace_s: float = _setting(
        25.0,
        "Longest time in seconds that requests in flight get to finish when the server stops.",
        check=_number(0, 3_600),
    )
    envoy_concurrency: int = _setting(
        0,
        "Worker threads of the proxy. 0: one for every two cores that the server may use.",
        check=_number(0, 256),
    )
    ec2_endpoint: str = _setting(
        "",
        "URL of an EC2 API that knows the private addresses of instances that are registered as "
        "targets and not in the table `instances`.",
        check=_matches("https?://.+", "a URL, for example http://127.0.0.1:5000"),
    )
    quotas: dict[str, int] = _setting(  # noqa: RUF009
        dict,
        "Quotas other than AWS's default ones, for example `rules-per-application-load-balancer`; "
        "all names: docs/strict.md. In albatross.toml a table `[quotas]`; in the variable "
        "`NAME=200,NAME=100`.",
        check=_are_quotas,
        shown="none",
    )
    # The table `[instances]` of albatross.toml: addresses of instances by id.
    instances: Mapping[str, str] = field(default_factory=dict)
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


def load(
    flags: Mapping[str, object], environ: Mapping[str, str], file: str | None = None
) -> Config:
    """Return the settings: flags (None: not given) over `environ` over a file over the defaults.

    `file` must exist; without it `albatross.toml` of the current directory counts if it is there.
    Raises ConfigError.
    """
    values = _from_file(file or FILE_NAME, required=file is not None)
    values |= _from_environment(environ)
    for setting in settings():
        if (given := flags.get(setting.name)) is not None:
            values[setting.name] = _value(setting, given, "--" + setting.name.replace("_", "-"))
    for key in ("auth", "data_dir", "hosts_file", "logs_dir", "opt_dir"):
        if values.get(key):
            values[key] = os.path.abspath(os.path.expanduser(values[key]))
    return Config(**values)


def _from_file(path: str, *, required: bool) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        if required:
            raise ConfigError(
                f"{path}: no such file. Name an existing one with --config."
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    import tomllib  # only when there is a file

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    known = {setting.name: setting for setting in settings()}
    values = {}
    for key, value in table.items():
        place = f"{path}:{_line_of(key, text)}"
        if key == _INSTANCES:
            values[key] = _instances(value, place)
            continue
        if key not in known:
            raise ConfigError(f"{place}: there is no setting {key!r}.{_did_you_mean(key, known)}")
        values[key] = _value(known[key], value, f"{place}: {key}")
    return values


def _instances(table: object, place: str) -> dict[str, str]:
    """Return the table of instances, checked. Raises ConfigError."""
    if not isinstance(table, dict):
        raise ConfigError(f"{place}: instances must be a table: [instances]")
    for id_, address in table.items():
        if not re.fullmatch("i-[0-9a-f]+", id_):
            raise ConfigError(f"{place}: instances: {id_!r} is not the id of an instance.")
        if fault := _is_address(str(address)):
            raise ConfigError(f"{place}: instances: {id_} {fault}, not {address!r}.")
    return table


def _line_of(key: str, text: str) -> int:
    """Return the number, from 1, of the line in which the TOML `text` sets `key`."""
    match = re.search(rf"^[ \t]*[\[\"']*{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what variables set. Unknown ones pass unless they look like a slip.

    Others make variables with our prefix: Kubernetes does for a service named `albatross`.
    """
    known = {ENVIRONMENT_PREFIX + setting.name.upper(): setting for setting in settings()}
    values = {}
    for variable, text in environ.items():
        if variable in known:
            values[known[variable].name] = _value(known[variable], text, variable)
        elif variable.startswith(ENVIRONMENT_PREFIX) and variable not in _OTHER_VARIABLES:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            if hint := _did_you_mean(name, {setting.name for setting in known.values()}):
                raise ConfigError(f"{variable}: there is no such setting.{hint}")
    return values


_OTHER_VARIABLES = {"ALBATROSS_CONFIG", "ALBATROSS_ENDPOINT"}  # options of the command line


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only for an error

    close = get_close_matches(word, known, n=1, cutoff=0.7)
    return f" Did you mean {close[0]}?" if close else ""


def _value(setting: "Field[Any]", given: object, place: str) -> Any:
    """Return `given` (text, or a TOML value) as the setting's type, checked. Raises ConfigError."""
    kind = get_origin(setting.type) or setting.type
    assert isinstance(kind, type)
    try:
        value = _parse(kind, given)
    except (ValueError, KeyError):
        raise ConfigError(f"{place} must be {_KINDS[kind]}, not {given!r}.") from None
    check = setting.metadata["check"]
    # An empty text stands for "not set" where that is the default.
    if check and not (value == "" and setting.default == "") and (fault := check(value)):
        end = "" if fault.endswith(".") else f", not {given!r}."
        raise ConfigError(f"{place} {fault}{end}")
    return value


def _parse(kind: type, given: object) -> Any:
    if isinstance(given, str) and kind is dict:
        pairs = (pair.partition("=") for pair in given.split(",") if pair.strip())
        return {name.strip(): int(value) for name, _, value in pairs}
    if isinstance(given, str):
        return _WORDS[given.lower()] if kind is bool else kind(given)
    if kind is float and type(given) is int:
        return float(given)
    if type(given) is not kind:
        raise ValueError
    return given
