"""Signatures of calls to the Lambda API elsewhere (SigV4), and the credentials for them."""

import asyncio
import time
from collections.abc import Mapping

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import botocore.session

from albatross.model.remote import Remote

READ_EVERY_S = 60.0  # so that renewed ones are noticed
Keys = botocore.credentials.Credentials | botocore.credentials.ReadOnlyCredentials


class NoCredentials(Exception):
    """There are none where the configuration says, or they cannot be had. The message says why."""


class Signer:
    """Signs calls about functions of `account`, for `region`, as `remote` says."""

    def __init__(self, remote: Remote, region: str, account: str) -> None:
        self._remote = remote
        self._region = region
        self._is_secret = bool(remote.profile or remote.credentials)
        self._source: botocore.credentials.Credentials | None = None
        self._keys: Keys | None = None
        self._read_s = 0.0
        self._lock = asyncio.Lock()
        if not self._is_secret:
            # The access key id names the account, for servers that go by that.
            self._keys = botocore.credentials.Credentials(account, "albatross")

    async def sign(self, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """Return `headers` with those of a signature for a POST. Raises NoCredentials."""
        keys = await self._current()
        request = botocore.awsrequest.AWSRequest("POST", url, dict(headers), body)
        botocore.auth.SigV4Auth(keys, "lambda", self._region).add_auth(request)
        return dict(request.headers.items())

    def forget(self) -> None:
        """Read the credentials again for the next call."""
        if self._is_secret:
            self._source, self._keys = None, None

    async def _current(self) -> Keys:
        if self._keys is not None and not self._is_due():
            return self._keys
        async with self._lock:
            if self._keys is None or self._is_due():
                try:
                    self._keys = await asyncio.to_thread(self._read)
                except (botocore.exceptions.BotoCoreError, OSError) as error:
                    raise NoCredentials(f"{self._where()}: {error}") from error
                self._read_s = time.monotonic()
            return self._keys

    def _is_due(self) -> bool:
        return self._is_secret and time.monotonic() - self._read_s > READ_EVERY_S

    def _read(self) -> Keys:
        """Return the credentials of now; those that end are renewed. May take long."""
        if self._source is None:
            session = botocore.session.Session(profile=self._remote.profile or None)
            self._source = session.get_credentials()
        if self._source is None:
            raise NoCredentials(
                f"{self._where()}: there are none. Set them, or change remote_functions in "
                "albatross.toml."
            )
        return self._source.get_frozen_credentials()

    def _where(self) -> str:
        if self._remote.profile:
            return f"credentials of the profile {self._remote.profile}"
        return "credentials of the server's environment"
