"""The server that all tests of traffic share, with every setting that one of them needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import lambda_service
from tests.support.command import free_port
from tests.support.stack import Stack, stack

# Functions of another Lambda service (tests/support/lambda_service.py); `gone` of one that is not.
FAR = "arn:aws:lambda:us-east-1:123456789012:function:far-"


@contextmanager
def serving(s3_endpoint: str) -> Iterator[Stack]:
    with lambda_service.serving() as far:
        gone = f"http://127.0.0.1:{free_port()}"
        settings = f'[remote_functions]\n"{FAR}gone" = "{gone}"\n"{FAR}*" = "{far}"\n'
        variables = {
            "ALBATROSS_S3_ENDPOINT": s3_endpoint,
            "ALBATROSS_LOG_INTERVAL_S": "1",
            "ALBATROSS_FUNCTION_URL_PORT": str(free_port()),
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
        }
        with stack(settings=settings, **variables) as running:
            yield running
