"""How commands call the AWS API of a running server. botocore is loaded when one does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from albatross import aws_session
from albatross.commands.server import no_server, stranger


class AwsApi:
    """The API at `endpoint`. `region`: None for what the user has configured, else us-east-1.

    Calls are signed with the user's credentials, where there are some, and made once.
    """

    def __init__(self, endpoint: str, region: str | None) -> None:
        self._endpoint = endpoint
        with self.told():
            self._session = session = aws_session.new()
            if session.get_credentials() is None:
                session.set_credentials("albatross", "albatross")
            self._region = region or session.get_config_variable("region") or "us-east-1"

    def client(self, service: str, **limits: Any) -> Any:
        """Return botocore's client of a service, with these settings of `botocore.config`."""
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1}, **limits)
        with self.told():
            return self._session.create_client(
                service, endpoint_url=self._endpoint, region_name=self._region, config=config
            )

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
        except KeyError as error:
            raise stranger(self._endpoint) from error
        except (BotoCoreError, ValueError) as error:
            raise click.ClickException(str(error)) from error
