"""The access keys whose signatures are accepted: a file of the user's, read again when it changes.

Its format is that of the AWS command's shared credentials file, so one file can serve the server
and its clients. Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
"""

import logging
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

_ID, _SECRET, _TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"
_ACCOUNT = "aws_account_id"
# What a client reads in the same file and a server has no use for.
_OF_CLIENTS = frozenset({"region", "output", "endpoint_url"})
_ID_PATTERN = re.compile(r"[A-Za-z0-9_]{3,128}")  # STS API, shape `accessKeyIdType`, and short ones
_ACCOUNT_PATTERN = re.compile(r"[0-9]{12}")
_NO_SECTION = "\0"  # configparser treats one section specially; this one cannot be in a file

log = logging.getLogger(__name__)


class UnusableKeys(Exception):
    """The file cannot be used. The message names line and remedy, and shows no secret."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key of `account`; None: the account is what the id says, else the server's default one."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)  # of a session: requests must show it
    account: str | None = None


class KeyFile:
    """The keys in the file `path`, as it is now."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: Mapping[str, AccessKey] = {}
        self._fault: str | None = None

    def keys(self) -> Mapping[str, AccessKey]:
        """Return the keys by their ids. Raises UnusableKeys: a damaged file lets nobody in."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise UnusableKeys(f"{self.path}: cannot be read: {error.strerror}.") from None
        seen = found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns
        if seen != self._seen:
            self._read()
            self._seen = seen
        if self._fault is not None:
            raise UnusableKeys(self._fault)
        return self._keys

    def _read(self) -> None:
        is_first = self._seen is None
        try:
            self._keys = read(self.path)
        except UnusableKeys as error:
            self._fault = str(error)
        else:
            self._fault = None
        if self._fault is not None:
            log.error("no API call is accepted: %s", self._fault)
        elif not is_first:
            log.info("read %d access key(s) anew from %s", len(self._keys), self.path)

    def warning(self) -> str | None:
        """Return what is wrong with the rights on the file, for people, or None."""
        found = os.stat(self.path)
        if found.st_uid not in (os.getuid(), 0):
            return f"{self.path} belongs to another user, who can put access keys into it."
        if stat.S_IMODE(found.st_mode) & 0o077:
            return f"{self.path} can be read by other users. Run: chmod 600 {self.path}"
        return None


def read(path: str) -> dict[str, AccessKey]:
    """Return the keys in the file `path`, by their ids. Raises UnusableKeys."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read(), path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UnusableKeys(f"{path}: cannot be read: {reason}.") from None


def parse(text: str, path: str) -> dict[str, AccessKey]:
    """Return the keys that `text`, the file `path`, holds, by their ids. Raises UnusableKeys."""
    import configparser  # only with a file: the server stays small

    parser = configparser.RawConfigParser(default_section=_NO_SECTION)
    try:
        parser.read_string(text)
    except configparser.DuplicateSectionError as error:
        raise UnusableKeys(
            f"{path}:{error.lineno}: there is a section [{error.section}] already. Rename one."
        ) from None
    except configparser.DuplicateOptionError as error:
        raise UnusableKeys(
            f"{path}:{error.lineno}: {error.option} is set twice in [{error.section}]. Delete one."
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise UnusableKeys(
            f"{path}:{error.lineno}: a section must come first. Put a line such as [me] above it."
        ) from None
    except configparser.ParsingError as error:  # whose text would show the line
        raise UnusableKeys(
            f"{path}:{error.errors[0][0]}: not a line KEY = VALUE. Correct or delete it."
        ) from None
    keys: dict[str, AccessKey] = {}
    for section in parser.sections():
        key = _access_key(section, parser[section], text, path)
        if key.id in keys:
            line = _line_of(section, _ID, text)
            raise UnusableKeys(
                f"{path}:{line}: the access key id {key.id} is in the file twice. Delete one."
            )
        keys[key.id] = key
    if not keys:
        raise UnusableKeys(
            f"{path}: holds no access key. Put in a section such as [me] with {_ID} and {_SECRET}."
        )
    return keys


def _access_key(section: str, given: Mapping[str, str], text: str, path: str) -> AccessKey:
    known = (_ID, _SECRET, _TOKEN, _ACCOUNT)
    for name in given:
        if name not in known and name not in _OF_CLIENTS:
            from difflib import get_close_matches  # only for an error

            close = get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}?" if close else "There are " + ", ".join(known) + "."
            line = _line_of(section, name, text)
            raise UnusableKeys(f"{path}:{line}: [{section}] has no setting {name}. {hint}")
    for name in (_ID, _SECRET):
        if not given.get(name):
            line = _line_of(section, name, text)
            raise UnusableKeys(f"{path}:{line}: [{section}] needs {name} = ...")
    if not _ID_PATTERN.fullmatch(given[_ID]):
        line = _line_of(section, _ID, text)
        raise UnusableKeys(
            f"{path}:{line}: {_ID} must be 3 to 128 letters, digits or _, for example AKIAEXAMPLE1."
        )
    account = given.get(_ACCOUNT)
    if account is not None and not _ACCOUNT_PATTERN.fullmatch(account):
        line = _line_of(section, _ACCOUNT, text)
        raise UnusableKeys(f"{path}:{line}: {_ACCOUNT} must be 12 digits.")
    return AccessKey(given[_ID], given[_SECRET], given.get(_TOKEN) or None, account)


def _line_of(section: str, name: str, text: str) -> int:
    """Return the number, from 1, of the line that sets `name` in `section`, else of its head."""
    head = 1
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            inside = line.startswith(f"[{section}]")
            head = number if inside else head
        elif inside and re.match(rf"{re.escape(name)}\s*[=:]", line, re.IGNORECASE):
            return number
    return head
