"""botocore with what this process's environment says: credentials, profile, region."""

from threading import Lock
from typing import Any

_ONLY_IN_AWS = ("container-role", "iam-role")  # nobody waits for these
_CLIENTS_MAX = 32


def new() -> Any:
    """Return a session of botocore, which is loaded for it.

    Raises BotoCoreError where the environment names what is not there, such as a profile.
    """
    import botocore.session

    session = botocore.session.get_session()
    for provider in _ONLY_IN_AWS:
        session.get_component("credential_provider").remove(provider)
    return session


class SharedClients:
    """Clients of botocore for the AWS API at `endpoint`. Safe to use from several threads.

    They are kept, since making one takes much longer than a call. `settings` are botocore's.
    """

    def __init__(self, endpoint: str, **settings: Any) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._lock = Lock()  # sessions are not for several threads at one time; clients are
        self._session: Any = None
        self._clients: dict[tuple[str, ...], Any] = {}

    def get(self, service: str, region: str, account: str) -> tuple[Any, bool]:
        """Return a client, and whether it is new.

        Where there are no credentials, `account` is their key id. Raises as `new`.
        """
        with self._lock:
            key = (service, region, account)
            is_new = key not in self._clients
            if is_new:
                if len(self._clients) >= _CLIENTS_MAX:
                    self._clients.clear()
                self._clients[key] = self._new(*key)
            return self._clients[key], is_new

    def forget(self, client: Any) -> None:
        """Make new ones from now on, unless that has happened since `client` was."""
        with self._lock:
            if client in self._clients.values():
                self._session, self._clients = None, {}

    def _new(self, service: str, region: str, account: str) -> Any:
        from botocore.config import Config

        self._session = self._session or new()
        credentials = {}
        if self._session.get_credentials() is None:  # enough for stand-ins for AWS
            credentials = {"aws_access_key_id": account, "aws_secret_access_key": "none"}
        return self._session.create_client(
            service,
            endpoint_url=self._endpoint,
            region_name=region,
            config=Config(**self._settings),
            **credentials,
        )
