"""How commands call the AWS API of a running server. botocore is loaded when one does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from albatross.commands.server import no_server


class AwsApi:
    """The API at `endpoint`. `region`: None for what the user has configured, else us-east-1.

    Calls are signed with the user's credentials, where there are some, and made once.
    """

    def __init__(self, endpoint: str, region: str | None) -> None:
        import botocore.session  # the other commands start without it

        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")  # there is none to ask
        session = botocore.session.get_session()
        own = None if session.get_credentials() else "albatross"
        self._session: Any = session
        self._endpoint = endpoint
        self._settings = {
            "endpoint_url": endpoint,
            "region_name": region or session.get_config_variable("region") or "us-east-1",
            "aws_access_key_id": own,
            "aws_secret_access_key": own,
        }

    def client(self, service: str, **limits: Any) -> Any:
        """Return botocore's client of a service, with these settings of `botocore.config`."""
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1}, **limits)
        with self.told():
            return self._session.create_client(service, config=config, **self._settings)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Let what goes wrong with a call be told."""
        from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

        try:
            yield
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            raise click.ClickException(f"{code}: {message}") from error
        except EndpointConnectionError as error:
            raise no_server(self._endpoint, "connection refused") from error
        except (BotoCoreError, ValueError) as error:
            raise click.ClickException(str(error)) from error
